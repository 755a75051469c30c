/* SPDX-License-Identifier: MIT */
#include "blobfs/tools/tool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/number.h"

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

int main(int argc, char **argv)
{
	/* A reader that closes early is an error to report, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(tool_usage, stdout);
		return 0;
	}
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("%s (cairn) " CAIRN_VERSION "\n", tool_name);
		return 0;
	}
	int r = tool_run(argc, argv);
	if (r >= 0 && fflush(stdout) == EOF)
		r = error_errno("cannot write to standard output");
	if (r >= 0)
		return r;
	fprintf(stderr, "%s: %s\n", tool_name,
		*error_text() ? error_text() : strerror(-r));
	return (int)error_status();
}
