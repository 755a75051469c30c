/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cli/verb.h"

static int run(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return error_usage("version: takes no arguments");
	puts("cairn " CAIRN_VERSION);
	return 0;
}

const struct verb verb_version = {
	.name = "version",
	.run = run,
	.summary = "the version of this program",
	.usage = "usage: cairn version\n",
};
