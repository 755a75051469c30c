/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"

static int finish(int r)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "cairn: %s\n", *error_text() ? error_text() : strerror(-r));
	return (int)error_status();
}

static const char *verb_name(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return "help";
	return strcmp(argv[1], "--version") ? argv[1] : "version";
}

int main(int argc, char **argv)
{
	/* A reader that closes early is an error to report, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
	const struct verb *v = verb_find(verb_name(argc, argv));
	if (!v)
		return finish(error_usage("no verb %s; see cairn help", argv[1]));
	return finish(argc < 2 ? v->run(1, argv) : v->run(argc - 1, argv + 1));
}
