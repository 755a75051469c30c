/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blobfs/compact.h"
#include "blobfs/export.h"
#include "blobfs/gc.h"
#include "blobfs/image.h"
#include "blobfs/import.h"
#include "blobfs/show.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/interrupt.h"
#include "core/progress.h"

struct options {
	unsigned jobs;
	const char *output;
	bool force;
	bool json;
	bool quiet;
	bool allow_empty;
	bool verify;
	bool compact;
	const char *from_dir;
	const char *image;
	char **rest;
	int n_rest;
};

static int print_added(void *context, const char *name,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size)
{
	char text[BLOBFS_DIGEST_TEXT];
	(void)context;
	(void)size;
	printf("%s %s\n", blobfs_digest_text(digest, text), name);
	return 0;
}

static int add_to(struct blobfs_image *image, const struct options *o)
{
	struct blobfs_import import;
	struct blobfs_add_result result = {NULL, print_added};
	int r = blobfs_store_begin(&image->store);
	image->store.verify_all = o->verify;
	if (r == 0)
		r = blobfs_import_start(&import, &image->store, o->jobs, &result);
	if (r < 0)
		return r;
	for (int i = 0; i < o->n_rest && r == 0; i++)
		r = blobfs_import_file(&import, o->rest[i]);
	if (r == 0 && o->from_dir)
		r = blobfs_import_dir(&import, o->from_dir);
	if (r == 0)
		r = blobfs_import_finish(&import);
	blobfs_import_stop(&import);
	return r < 0 ? r : blobfs_store_commit(&image->store);
}

static int get(struct blobfs_image *image, const struct options *o)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	int r = blobfs_digest_parse(o->rest[0], digest);
	if (r < 0)
		return r;
	interrupt_catch();
	return o->output ? blobfs_export_file(&image->store, digest, o->output, o->force)
			 : blobfs_export_fd(&image->store, digest, STDOUT_FILENO,
				   "standard output");
}

static int list(struct blobfs_image *image, const struct options *o)
{
	return blobfs_show_blobs(&image->store, false, o->json);
}

static int remove_from(struct blobfs_image *image, const struct options *o)
{
	int r = blobfs_store_begin(&image->store);
	for (int i = 0; i < o->n_rest && r == 0; i++) {
		uint8_t digest[BLOBFS_DIGEST_SIZE];
		r = blobfs_digest_parse(o->rest[i], digest);
		if (r == 0)
			r = blobfs_store_remove(&image->store, digest);
		if (r < 0)
			r = error_context(r, "%s", o->rest[i]);
	}
	return r < 0 ? r : blobfs_store_commit(&image->store);
}

static int collect(struct blobfs_image *image, const struct options *o)
{
	struct blobfs_gc gc = {.allow_empty = o->allow_empty};
	int r = o->compact ? blobfs_compact(&gc, &image->store)
			   : blobfs_gc(&gc, &image->store);
	if (r == 0)
		progress_note("%s: %ju blobs kept, %ju removed, %ju blocks free",
			o->image, (uintmax_t)gc.n_kept, (uintmax_t)gc.n_removed,
			(uintmax_t)gc.n_free);
	return r;
}

/* ---- which options and arguments each takes ---------------------------------------- */

/* One bit for each. */
enum { ADD = 1, GET = 2, LIST = 4, REMOVE = 8, COLLECT = 16, ALL = 31 };

/* After the options comes an image, then MIN to MAX more arguments. */
static const struct action {
	const char *name;
	unsigned bit;
	int min, max;
	bool writes;
	int (*run)(struct blobfs_image *image, const struct options *o);
} actions[] = {
	{"add", ADD, 0, INT32_MAX, true, add_to},
	{"get", GET, 1, 1, false, get},
	{"list", LIST, 0, 0, false, list},
	{"rm", REMOVE, 1, INT32_MAX, true, remove_from},
	{"gc", COLLECT, 0, 0, true, collect},
};

static int parse(int argc, char **argv, const struct action *action, struct options *o)
{
	const struct {
		unsigned of; /* which take it */
		struct argument argument;
	} options[] = {
		{ADD, ARGUMENT_JOBS(&o->jobs)},
		{ADD, {.name = "verify", .flag = &o->verify}},
		{ADD, {.name = "from-dir", .text = &o->from_dir}},
		{GET, {.name = "output", .letter = 'o', .text = &o->output}},
		{GET, {.name = "force", .flag = &o->force}},
		{LIST, {.name = "json", .flag = &o->json}},
		{COLLECT, {.name = "compact", .flag = &o->compact}},
		{COLLECT, {.name = "empty", .flag = &o->allow_empty}},
		{ALL, {.name = "quiet", .flag = &o->quiet}},
	};
	struct argument table[sizeof options / sizeof options[0] + 1] = {{0}};
	size_t n = 0;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (options[i].of & action->bit)
			table[n++] = options[i].argument;
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	o->n_rest = argc - first - 1;
	if (o->n_rest < action->min || o->n_rest > action->max)
		return error_usage(
			"blob %s: see cairn help blob for the arguments", argv[0]);
	progress_silence(o->quiet);
	o->image = argv[first];
	o->rest = argv + first + 1;
	return 0;
}

static int run_action(int argc, char **argv)
{
	const struct action *action = actions;
	struct options o = {0};
	AUTO_BLOBFS_IMAGE image = {0};
	while (strcmp(action->name, argv[0]) != 0)
		action++;
	int r = parse(argc, argv, action, &o);
	if (r == 0 && action->run == add_to && o.n_rest == 0 && !o.from_dir)
		r = error_usage("blob add: which files? See cairn help blob");
	if (r == 0)
		r = blobfs_image_open(&image, o.image, action->writes);
	return r < 0 ? r : action->run(&image, &o);
}

static const struct verb verb_add = {.name = "add", .run = run_action};
static const struct verb verb_get = {.name = "get", .run = run_action};
static const struct verb verb_list = {.name = "list", .run = run_action};
static const struct verb verb_rm = {.name = "rm", .run = run_action};
static const struct verb verb_gc = {.name = "gc", .run = run_action};

static const struct verb *const table[] = {
	&verb_add, &verb_get, &verb_list, &verb_rm, &verb_gc, NULL};

static int run(int argc, char **argv)
{
	return verb_run_sub(table, argc, argv);
}

const struct verb verb_blob = {
	.name = "blob",
	.run = run,
	.summary = "blobs in a blobfs image",
	.usage = "usage: cairn blob add [--jobs N] [--verify] [--from-dir TREE] IMAGE "
		 "[FILE...]\n"
		 "       cairn blob get [--output FILE [--force]] IMAGE DIGEST\n"
		 "       cairn blob list [--json] IMAGE\n"
		 "       cairn blob rm IMAGE DIGEST...\n"
		 "       cairn blob gc [--compact] [--empty] IMAGE\n\n"
		 "A blob is named by its fs-verity digest, as `fsverity digest` prints "
		 "it.\n"
		 "add takes files, and with --from-dir all regular files below a "
		 "directory, as\n"
		 "one change. It prints the digest of each; what is there already costs "
		 "nothing,\n"
		 "as only the top of its tree is verified; --verify reads all of it, and "
		 "writes\n"
		 "anew what is damaged.\n"
		 "get writes only bytes that were verified. gc removes all blobs that no "
		 "ref\n"
		 "leads to, and finds their space again; without any ref only with "
		 "--empty.\n"
		 "--compact also moves them together, and cuts a file that grew.\n"
		 "Images are made by mkfs.blobfs.\n",
};
