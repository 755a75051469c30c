/* SPDX-License-Identifier: MIT */

#include "blobfs/image.h"
#include "blobfs/show.h"
#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/progress.h"

struct options {
	bool json, quiet;
	const char *image;
	char **rest;
};

/* After the options an image and N_REST arguments. */
static int parse(int argc, char **argv, int n_rest, struct options *o)
{
	const struct argument table[] = {
		{.name = "json", .flag = &o->json},
		{.name = "quiet", .flag = &o->quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (argc - first != n_rest + 1)
		return error_usage(
			"ref %s: see cairn help ref for the arguments", argv[0]);
	progress_silence(o->quiet);
	o->image = argv[first];
	o->rest = argv + first + 1;
	return 0;
}

static int run_list(int argc, char **argv)
{
	struct options o = {0};
	AUTO_BLOBFS_IMAGE image = {0};
	int r = parse(argc, argv, 0, &o);
	if (r == 0)
		r = blobfs_image_open(&image, o.image, false);
	return r < 0 ? r : blobfs_show_refs(&image.store, o.json);
}

/* Sets the ref to DIGEST, or deletes it if DIGEST is NULL. */
static int change(const struct options *o, const uint8_t *digest)
{
	AUTO_BLOBFS_IMAGE image = {0};
	AUTO_BLOBFS_REFS refs = {0};
	struct blobfs_store *s = &image.store;
	int r = blobfs_image_open(&image, o->image, true);
	if (r == 0)
		r = blobfs_store_begin(s);
	if (r == 0)
		r = blobfs_refs_load(&refs, s);
	/* A ref that leads nowhere would only be found out when it is needed. */
	if (r == 0 && digest) {
		r = blobfs_store_has(s, digest);
		if (r == 0)
			r = blobfs_failed(&s->fs, o->image, BLOBFS_MISSING);
	}
	if (r >= 0)
		r = digest ? blobfs_refs_set(&refs, o->rest[0], digest)
			   : blobfs_refs_delete(&refs, o->rest[0]);
	if (r == 0)
		r = blobfs_refs_store(&refs, s);
	return r < 0 ? r : blobfs_store_commit(s);
}

static int run_set(int argc, char **argv)
{
	struct options o = {0};
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	int r = parse(argc, argv, 2, &o);
	if (r == 0)
		r = blobfs_digest_parse(o.rest[1], digest);
	return r < 0 ? r : change(&o, digest);
}

static int run_delete(int argc, char **argv)
{
	struct options o = {0};
	int r = parse(argc, argv, 1, &o);
	return r < 0 ? r : change(&o, NULL);
}

static const struct verb verb_list = {.name = "list", .run = run_list};
static const struct verb verb_set = {.name = "set", .run = run_set};
static const struct verb verb_delete = {.name = "delete", .run = run_delete};
static const struct verb *const table[] = {&verb_list, &verb_set, &verb_delete, NULL};

static int run(int argc, char **argv)
{
	return verb_run_sub(table, argc, argv);
}

const struct verb verb_ref = {
	.name = "ref",
	.run = run,
	.summary = "names for blobs in a blobfs image",
	.usage = "usage: cairn ref list [--json] IMAGE\n"
		 "       cairn ref set IMAGE NAME DIGEST\n"
		 "       cairn ref delete IMAGE NAME\n\n"
		 "A ref keeps its blob from `cairn blob gc`. All refs change at once, "
		 "with the\n"
		 "superblock. A ref is a hint: trust comes from signed content alone.\n",
};
