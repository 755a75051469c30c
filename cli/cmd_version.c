/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "core/sha256.h"

static int run(int argc, char **argv)
{
	const struct sha256_engine *engine;
	bool verbose =
		argc == 2 && (!strcmp(argv[1], "--verbose") || !strcmp(argv[1], "-v"));
	if (argc > 1 && !verbose)
		return error_usage("version: takes no argument but --verbose");
	int r = verbose ? sha256_engine(&engine) : 0;
	if (r < 0)
		return r;
	puts("cairn " CAIRN_VERSION);
	if (verbose)
		printf("sha256: %s\n", engine ? engine->name : "openssl");
	return 0;
}

const struct verb verb_version = {
	.name = "version",
	.run = run,
	.summary = "the version of this program",
	.usage = "usage: cairn version [--verbose]\n"
		 "\n"
		 "--verbose also says how SHA-256 is computed on this machine; the "
		 "environment\n"
		 "variable CAIRN_SHA256 forces one: sha-ni-x4, sha-ni-x2, sha-ni, avx2, "
		 "armv8-x2\n"
		 "or openssl.\n",
};
