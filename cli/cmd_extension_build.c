/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "builder/extension.h"
#include "cli/arguments.h"
#include "cli/cmd_extension.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"

struct arguments {
	struct extension_options x;
	bool json;
};

static int take_file_system(void *into, const char *name)
{
	return filesystem_by_name(name, into);
}

static int parse(struct arguments *a, int argc, char **argv)
{
	struct extension_options *x = &a->x;
	bool quiet = false;
	const struct argument table[] = {
		{.name = "output", .letter = 'o', .text = &x->output},
		{.name = "id", .text = &x->wanted[EXTENSION_ID]},
		{.name = "version-id", .text = &x->wanted[EXTENSION_VERSION_ID]},
		{.name = "level", .text = &x->wanted[EXTENSION_LEVEL]},
		{.name = "scope", .text = &x->wanted[EXTENSION_SCOPE]},
		{.name = "architecture", .text = &x->wanted[EXTENSION_ARCHITECTURE]},
		{.name = "epoch", .text = &x->wanted[EXTENSION_EPOCH]},
		{.name = "name", .text = &x->name},
		{.name = "fs", .take = take_file_system, .into = &x->fs},
		{.name = "compress", .text = &x->compress},
		{.name = "fec-roots", .number = &x->fec_roots, .max = 255},
		{.name = "seed", .text = &x->seed},
		{.name = "key", .text = &x->key},
		{.name = "cert", .text = &x->certificate},
		ARGUMENT_JOBS(&x->jobs),
		{.name = "force", .flag = &x->force},
		{.name = "quiet", .flag = &quiet},
		{.name = "json", .flag = &a->json},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (argc - first != 1 || !x->output)
		return error_usage("extension build: give one TREE or TAR, and -o "
				   "NAME.sysext.raw or NAME.confext.raw");
	progress_silence(quiet);
	x->tree = argv[first];
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
