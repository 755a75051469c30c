/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>

#include "builder/extension.h"
#include "cli/arguments.h"
#include "cli/cmd_extension.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"

enum option_id {
	OPTION_WANTED = 256, /* and one for each field of the release file */
	OPTION_NAME = OPTION_WANTED + EXTENSION_N_FIELDS,
	OPTION_FS,
	OPTION_COMPRESS,
	OPTION_FEC_ROOTS,
	OPTION_SEED,
	OPTION_KEY,
	OPTION_CERT,
	OPTION_JOBS,
	OPTION_FORCE,
	OPTION_QUIET,
	OPTION_JSON,
};

static const struct option table[] = {
	{"output", required_argument, NULL, 'o'},
	{"id", required_argument, NULL, OPTION_WANTED + EXTENSION_ID},
	{"version-id", required_argument, NULL, OPTION_WANTED + EXTENSION_VERSION_ID},
	{"level", required_argument, NULL, OPTION_WANTED + EXTENSION_LEVEL},
	{"scope", required_argument, NULL, OPTION_WANTED + EXTENSION_SCOPE},
	{"architecture", required_argument, NULL, OPTION_WANTED + EXTENSION_ARCHITECTURE},
	{"epoch", required_argument, NULL, OPTION_WANTED + EXTENSION_EPOCH},
	{"name", required_argument, NULL, OPTION_NAME},
	{"fs", required_argument, NULL, OPTION_FS},
	{"compress", required_argument, NULL, OPTION_COMPRESS},
	{"fec-roots", required_argument, NULL, OPTION_FEC_ROOTS},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"key", required_argument, NULL, OPTION_KEY},
	{"cert", required_argument, NULL, OPTION_CERT},
	{"jobs", required_argument, NULL, OPTION_JOBS},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"json", no_argument, NULL, OPTION_JSON},
	{NULL, 0, NULL, 0},
};

struct arguments {
	struct extension_options x;
	bool json;
};

/* Options that are kept as the text they came as. */
static const char **text_option(struct extension_options *x, int id)
{
	if (id >= OPTION_WANTED && id < OPTION_WANTED + EXTENSION_N_FIELDS)
		return &x->wanted[id - OPTION_WANTED];
	switch (id) {
	case 'o':
		return &x->output;
	case OPTION_NAME:
		return &x->name;
	case OPTION_COMPRESS:
		return &x->compress;
	case OPTION_SEED:
		return &x->seed;
	case OPTION_KEY:
		return &x->key;
	case OPTION_CERT:
		return &x->certificate;
	default:
		return NULL;
	}
}

static int take_option(struct arguments *a, int id, char **argv)
{
	const char **text = text_option(&a->x, id);
	uint64_t n = 0;
	int r = 0;
	if (text) {
		*text = optarg;
		return 0;
	}
	switch (id) {
	case OPTION_FS:
		return filesystem_by_name(optarg, &a->x.fs);
	case OPTION_FEC_ROOTS:
		r = argument_number("--fec-roots", optarg, 0, 255, &n);
		a->x.fec_roots = (unsigned)n;
		return r;
	case OPTION_JOBS:
		return argument_jobs(optarg, &a->x.jobs);
	case OPTION_FORCE:
		a->x.force = true;
		return 0;
	case OPTION_QUIET:
		progress_silence(true);
		return 0;
	case OPTION_JSON:
		a->json = true;
		return 0;
	default:
		return argument_unknown(id, argv);
	}
}

static int parse(struct arguments *a, int argc, char **argv)
{
	int id, r = 0;
	opterr = 0;
	optind = 0;
	while (r == 0 && (id = getopt_long(argc, argv, ":o:", table, NULL)) >= 0)
		r = take_option(a, id, argv);
	if (r < 0)
		return r;
	if (argc - optind != 1 || !a->x.output)
		return error_usage("extension build: give one TREE or TAR, and -o "
				   "NAME.sysext.raw or NAME.confext.raw");
	a->x.tree = argv[optind];
	return 0;
}

static int run(int argc, char **argv)
{
	struct arguments a = {0};
	json_object *report = NULL, *hash;
	interrupt_catch();
	int r = parse(&a, argc, argv);
	if (r == 0)
		r = extension_build(&a.x, &report);
	if (r < 0)
		return r;
	if (a.json)
		r = json_print(report);
	else if (json_object_object_get_ex(report, "rootHash", &hash))
		printf("Root hash: %s\n", json_object_get_string(hash));
	json_object_put(report);
	return r;
}

const struct verb verb_extension_build = {.name = "build", .run = run};
