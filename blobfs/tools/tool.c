/* SPDX-License-Identifier: MIT */
#include "blobfs/tools/tool.h"

#include <stdio.h>
#include <string.h>

#include "core/number.h"
#include "core/program.h"

int tool_unknown_option(char **argv, int at)
{
	return error_usage(
		"unknown option, or its argument is missing: %s; see %s --help", argv[at],
		tool_name);
}

int tool_size(const char *option, const char *text, uint64_t *size)
{
	if (!number_parse_size(text, size))
		return error_usage("%s %s: is no size", option, text);
	return 0;
}

static int run(int argc, char **argv)
{
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(tool_usage, stdout);
		return 0;
	}
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("%s (cairn) " CAIRN_VERSION "\n", tool_name);
		return 0;
	}
	return tool_run(argc, argv);
}

int main(int argc, char **argv)
{
	program_begin();
	return program_end(tool_name, run(argc, argv));
}
