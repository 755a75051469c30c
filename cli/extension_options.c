/* SPDX-License-Identifier: MIT */
#include "cli/extension_options.h"

#include <getopt.h>
#include <string.h>

#include "cli/arguments.h"
#include "core/number.h"
#include "core/progress.h"

#define LOCK_S     30
#define LOCK_S_MAX 86400

enum {
	OPT_ROOT = 256,
	OPT_CLASS,
	OPT_JSON,
	OPT_QUIET,
	OPT_MUTABLE,
	OPT_ALLOW_GAP,
	OPT_ALLOW_OVERRIDE,
	OPT_NO_RELOAD,
	OPT_LOCK_TIMEOUT,
};

/* The first four are for all. */
static const struct option options[] = {
	{"root", required_argument, NULL, OPT_ROOT},
	{"class", required_argument, NULL, OPT_CLASS},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"mutable", required_argument, NULL, OPT_MUTABLE},
	{"allow-gap", no_argument, NULL, OPT_ALLOW_GAP},
	{"allow-override", required_argument, NULL, OPT_ALLOW_OVERRIDE},
	{"no-reload", no_argument, NULL, OPT_NO_RELOAD},
	{"lock-timeout", required_argument, NULL, OPT_LOCK_TIMEOUT},
	{NULL, 0, NULL, 0},
};

static int parse_class(struct extension_arguments *a, const char *text)
{
	for (int c = 0; c < N_CLASSES; c++)
		if (!strcmp(text, class_name((enum extension_class)c)))
			return a->class[c] = true, 0;
	return error_usage("--class=%s: there are sysext and confext", text);
}

static int parse_mode(struct extension_arguments *a, const char *text)
{
	static const char *const modes[] = {"no", "ephemeral", "yes"};
	for (int m = 0; m <= MODE_MUTABLE; m++)
		if (!strcmp(text, modes[m])) {
			a->mode = (enum compose_mode)m;
			a->have_mode = true;
			return 0;
		}
	return error_usage("--mutable=%s: there are no, ephemeral and yes", text);
}

static int parse_override(struct extension_arguments *a, const char *name)
{
	size_t n = 0;
	while (a->allow_override[n])
		n++;
	if (n == EXTENSIONS_MAX)
		return error_usage("--allow-override: too many of them");
	a->allow_override[n] = name;
	return 0;
}

static int parse_timeout(struct extension_arguments *a, const char *text)
{
	uint64_t seconds;
	if (!number_parse(text, &seconds) || seconds > LOCK_S_MAX)
		return error_usage("--lock-timeout=%s: is no number of seconds", text);
	a->lock_s = (unsigned)seconds;
	return 0;
}

static int parse_option(struct extension_arguments *a, int option, char **argv)
{
	switch (option) {
	case OPT_ROOT:
		a->root = optarg;
		return 0;
	case OPT_CLASS:
		return parse_class(a, optarg);
	case OPT_JSON:
		a->json = true;
		return 0;
	case OPT_QUIET:
		progress_silence(true);
		return 0;
	case OPT_MUTABLE:
		return parse_mode(a, optarg);
	case OPT_ALLOW_GAP:
		a->allow_gap = true;
		return 0;
	case OPT_ALLOW_OVERRIDE:
		return parse_override(a, optarg);
	case OPT_NO_RELOAD:
		a->no_reload = true;
		return 0;
	case OPT_LOCK_TIMEOUT:
		return parse_timeout(a, optarg);
	default:
		return argument_unknown(option, argv);
	}
}

int extension_arguments_parse(
	struct extension_arguments *a, int argc, char **argv, bool changes)
{
	int c, r;
	*a = (struct extension_arguments){.root = "/", .lock_s = LOCK_S};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (!changes && c >= OPT_MUTABLE)
			return error_usage("extension %s: has no option %s", argv[0],
				argv[optind - 1]);
		if ((r = parse_option(a, c, argv)) < 0)
			return r;
	}
	if (optind < argc)
		return error_usage("extension %s: takes no argument, but there is %s",
			argv[0], argv[optind]);
	if (!a->class[CLASS_SYSEXT] && !a->class[CLASS_CONFEXT])
		a->class[CLASS_SYSEXT] = a->class[CLASS_CONFEXT] = true;
	return 0;
}
