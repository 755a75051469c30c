/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cli/verb.h"

static void list_verbs(FILE *out)
{
	fputs("usage: cairn VERB [OPTION...] [ARGUMENT...]\n\n", out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "  %-10s %s\n", (*v)->name, (*v)->summary);
	fputs("\ncairn help VERB tells more.\n", out);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		list_verbs(stdout);
		return 0;
	}
	const struct verb *v = verb_find(argv[1]);
	if (!v)
		return error_usage("help: no verb %s", argv[1]);
	fputs(v->usage, stdout);
	return 0;
}

const struct verb verb_help = {
	.name = "help",
	.run = run,
	.summary = "what there is, or how to use one verb",
	.usage = "usage: cairn help [VERB]\n",
};
