/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/verb.h"
#include "core/program.h"

static const char *verb_name(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return "help";
	return strcmp(argv[1], "--version") ? argv[1] : "version";
}

static int run(int argc, char **argv)
{
	const struct verb *v = verb_find(verb_name(argc, argv));
	if (!v)
		return error_usage("no verb %s; see cairn help", argv[1]);
	if (argc > 1)
		return v->run(argc - 1, argv + 1);
	v->run(1, argv);
	return error_usage("no verb is given");
}

int main(int argc, char **argv)
{
	program_begin();
	return program_end("cairn", run(argc, argv));
}
