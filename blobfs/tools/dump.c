/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/convert.h"
#include "blobfs/export.h"
#include "blobfs/image.h"
#include "blobfs/show.h"
#include "blobfs/tools/tool.h"
#include "core/hex.h"
#include "core/json.h"
#include "core/progress.h"

const char tool_name[] = "dump.blobfs";
const char tool_usage[] =
	"usage: dump.blobfs [OPTION...] IMAGE\n\n"
	"Shows the superblock, or one of:\n\n"
	"  --index           all blobs: digest, size, data, tree, tail\n"
	"  --refs            all refs: digest, name\n"
	"  --extract DIGEST  write one blob to standard output, or to --output\n"
	"  --extract-all DIR write all blobs below DIR, as ab/cdef...\n"
	"  --to-store DIR    add all blobs and refs to a directory store\n"
	"  --output FILE\n"
	"  --force           replace FILE\n"
	"  --json            superblock, index or refs as JSON\n"
	"  --quiet\n";

struct options {
	char what; /* 's', 'i', 'r', 'x', 'a', 't' */
	const char *argument;
	const char *output;
	bool force;
	bool json;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"index", no_argument, NULL, 'i'},
		{"refs", no_argument, NULL, 'r'},
		{"extract", required_argument, NULL, 'x'},
		{"extract-all", required_argument, NULL, 'a'},
		{"to-store", required_argument, NULL, 't'},
		{"output", required_argument, NULL, 'o'},
		{"force", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'J'},
		{"quiet", no_argument, NULL, 'q'},
		{0},
	};
	int c, r = 0;
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == '?')
			r = tool_unknown_option(argv, optind - 1);
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'f')
			o->force = true;
		else if (c == 'J')
			o->json = true;
		else if (c == 'q')
			progress_silence(true);
		else if (o->what != 's')
			r = error_usage("only one thing at a time");
		else {
			o->what = (char)c;
			o->argument = optarg;
		}
	}
	if (r == 0 && optind != argc - 1)
		r = error_usage("one image is needed; see dump.blobfs --help");
	return r;
}

static json_object *run_list(const struct blobfs_run *runs, uint32_t n)
{
	json_object *list = json_object_new_array();
	for (uint32_t i = 0; i < n; i++) {
		json_object *run = json_object_new_object();
		json_add_number(run, "offset", runs[i].offset);
		json_add_number(run, "pages", runs[i].pages);
		json_append(list, run);
	}
	return list;
}

static int print_document(json_object *document)
{
	int r = json_print(document);
	json_object_put(document);
	return r;
}

static int dump_super(const struct options *o, const struct blobfs *fs)
{
	char uuid[UUID_TEXT_SIZE], refs[BLOBFS_DIGEST_TEXT];
	static const uint8_t none[BLOBFS_DIGEST_SIZE];
	bool has_refs = memcmp(fs->refs, none, sizeof none) != 0;
	uuid_encode(fs->uuid, uuid);
	blobfs_digest_text(fs->refs, refs);
	if (o->json) {
		json_object *d = json_object_new_object();
		json_add_text(d, "uuid", uuid);
		json_add_number(d, "generation", fs->generation);
		json_add_number(d, "compatible", fs->compatible);
		json_add_number(d, "ro_compatible", fs->ro_compatible);
		json_add_number(d, "device_size", fs->device_size);
		json_add_number(d, "used_end", fs->used_end);
		json_add_number(d, "free_extents", fs->free_entries);
		json_add(d, "free", run_list(&fs->free, fs->free.pages != 0));
		json_add_text(d, "refs", has_refs ? refs : NULL);
		json_add(d, "runs", run_list(fs->runs, fs->n_runs));
		return print_document(d);
	}
	printf("UUID:         %s\n", uuid);
	printf("Generation:   %ju\n", (uintmax_t)fs->generation);
	printf("Features:     compatible %#jx, read-only compatible %#jx\n",
		(uintmax_t)fs->compatible, (uintmax_t)fs->ro_compatible);
	printf("Device size:  %ju\n", (uintmax_t)fs->device_size);
	printf("Used end:     %ju\n", (uintmax_t)fs->used_end);
	printf("Free list:    %ju extents, %ju pages at %ju\n",
		(uintmax_t)fs->free_entries, (uintmax_t)fs->free.pages,
		(uintmax_t)fs->free.offset);
	printf("Refs:         %s\n", has_refs ? refs : "none");
	for (uint32_t i = 0; i < fs->n_runs; i++)
		printf("Index run:    %ju pages at %ju\n", (uintmax_t)fs->runs[i].pages,
			(uintmax_t)fs->runs[i].offset);
	return 0;
}

static int extract(const struct options *o, struct blobfs_store *s)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	int r = blobfs_digest_parse(o->argument, digest);
	if (r < 0)
		return r;
	return o->output ? blobfs_export_file(s, digest, o->output, o->force)
			 : blobfs_export_fd(s, digest, STDOUT_FILENO, "standard output");
}

static int dump_to_store(const struct options *o, struct blobfs_store *s)
{
	AUTO_OBJECTS objects = OBJECTS_CLOSED;
	int r = objects_open(&objects, o->argument, OBJECTS_ADD);
	return r < 0 ? r : blobfs_to_objects(s, &objects);
}

int tool_run(int argc, char **argv)
{
	struct options o = {.what = 's'};
	AUTO_BLOBFS_IMAGE image = {0};
	int r = parse(argc, argv, &o);
	if (r == 0)
		r = blobfs_image_open(&image, argv[optind], false);
	if (r < 0)
		return r;
	if (o.what == 'i')
		return blobfs_show_blobs(&image.store, true, o.json);
	if (o.what == 'r')
		return blobfs_show_refs(&image.store, o.json);
	if (o.what == 'x')
		return extract(&o, &image.store);
	if (o.what == 'a')
		return blobfs_export_all(&image.store, o.argument);
	if (o.what == 't')
		return dump_to_store(&o, &image.store);
	return dump_super(&o, &image.store.fs);
}
