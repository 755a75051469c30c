/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "core/confine.h"
#include "core/progress.h"
#include "verifier/locate.h"
#include "verifier/locate_target.h"

struct options {
	uint64_t partition, block_size;
	bool json, quiet;
};

/* "N" or "N-M", in blocks of the target. */
static int take_range(
	struct locator *l, const struct options *o, const char *area, const char *text)
{
	uint64_t first = 0, last = 0, n_blocks = l->size / o->block_size;
	char low[24];
	const char *dash = strchr(text, '-');
	size_t size = dash ? (size_t)(dash - text) : strlen(text);
	if (size >= sizeof low)
		return error_usage("locate: %s: no number of a block", text);
	memcpy(low, text, size);
	low[size] = 0;
	int r = argument_number("BLOCK", low, 0, INT64_MAX, &first);
	last = first;
	if (r == 0 && dash)
		r = argument_number("BLOCK", dash + 1, first, INT64_MAX, &last);
	if (r < 0)
		return r;
	if (last >= n_blocks)
		return error_usage("locate: block %" PRIu64 ": the %s has %" PRIu64
				   " blocks of %" PRIu64 " bytes",
			last, area, n_blocks, o->block_size);
	return locator_want(l, first * o->block_size, (last - first + 1) * o->block_size);
}

/* ---- output ------------------------------------------------------------------------ */

/* Whether a piece that is of nothing is only what a used block has left over. */
static bool is_slack(const struct options *o, const struct located *item)
{
	return item->kind >= LOCATED_UNUSED && item->size < o->block_size;
}

static int print_item(
	const struct locator *l, const struct options *o, const char *area, size_t i)
{
	BUFFER text = {0};
	const struct located *item = &l->items[i];
	uint64_t first = item->offset / o->block_size;
	uint64_t last = (item->offset + item->size - 1) / o->block_size;
	if (is_slack(o, item))
		return 0;
	int r = locator_describe_item(l, item, &text);
	if (r < 0)
		return r;
	printf("%s, block%s %" PRIu64, area, first == last ? "" : "s", first);
	if (first != last)
		printf("-%" PRIu64, last);
	printf(": %s\n", buffer_text(&text));
	return 0;
}

static int print_text(const struct locator *l, const struct options *o, const char *area)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < l->n_items; i++)
		r = print_item(l, o, area, i);
	for (size_t i = 0; r == 0 && i < l->n_faults; i++)
		progress_note("not all could be read: %s", l->faults[i]);
	if (l->n_more_faults)
		progress_note(
			"and %" PRIu64 " more that cannot be read", l->n_more_faults);
	if (l->incomplete)
		progress_note("this is not all: ask for fewer blocks");
	return r;
}

static int print_json(
	const struct locator *l, const struct options *o, const struct locate_target *t)
{
	json_object *document = json_object_new_object();
	json_object *blocks = json_object_new_array();
	json_object *faults = json_object_new_array();
	json_add_bytes(document, "image", span_of(l->file->name, strlen(l->file->name)));
	json_add_text(document, "area", t->area);
	if (t->partition)
		json_add_number(document, "partition", t->partition);
	json_add_number(document, "blockSize", o->block_size);
	for (size_t i = 0; i < l->n_items; i++) {
		const struct located *item = &l->items[i];
		json_object *b = locator_item_json(l, item);
		json_add_number(b, "block", item->offset / o->block_size);
		json_add_number(b, "blocks",
			(item->offset + item->size - 1) / o->block_size -
				item->offset / o->block_size + 1);
		json_append(blocks, b);
	}
	for (size_t i = 0; i < l->n_faults; i++)
		json_append(faults, json_object_new_string(l->faults[i]));
	json_add(document, "found", blocks);
	json_add(document, "faults", faults);
	json_add_bool(document, "complete",
		!l->incomplete && l->n_faults + l->n_more_faults == 0);
	int r = json_print(document);
	json_object_put(document);
	return r;
}

/* ---- all of it --------------------------------------------------------------------- */

static int run_locate(const struct options *o, char **argv)
{
	AUTO_FILE f = FILE_CLOSED;
	AUTO_LOCATOR l = {0};
	struct locate_target t;
	int r = file_open_image(&f, argv[0], O_RDONLY);
	if (r == 0)
		r = confine();
	if (r == 0)
		r = locate_target_find(&t, &f, (uint32_t)o->partition);
	if (r < 0)
		return r;
	locator_init(&l, &f, t.offset, t.size);
	while (r == 0 && *++argv)
		r = take_range(&l, o, t.area, *argv);
	if (r == 0)
		r = locate(&l);
	if (r < 0)
		return r;
	return o->json ? print_json(&l, o, &t) : print_text(&l, o, t.area);
}

static int run(int argc, char **argv)
{
	struct options o = {.block_size = 4096};
	const struct argument table[] = {
		{.name = "partition", .big = &o.partition, .min = 1, .max = UINT32_MAX},
		{.name = "block-size", .big = &o.block_size, .min = 1, .max = 1 << 20},
		{.name = "json", .flag = &o.json},
		{.name = "quiet", .flag = &o.quiet},
		{0},
	};
	int first = arguments_parse(table, argc, argv);
	if (first < 0)
		return first;
	if (first + 2 > argc)
		return error_usage(
			"locate: needs an IMAGE and blocks; see cairn help locate");
	progress_silence(o.quiet);
	return run_locate(&o, argv + first);
}

const struct verb verb_locate = {
	.name = "locate",
	.run = run,
	.summary = "which files blocks of an image belong to",
	.usage = "usage: cairn locate [OPTION...] IMAGE BLOCK...\n"
		 "\n"
		 "Tells what blocks of a file system are: contents of a file, and which "
		 "of "
		 "its\n"
		 "bytes; a directory, an inode, a table; or nothing. IMAGE is a disk "
		 "image, "
		 "a block\n"
		 "device or a file system (erofs, squashfs, ext2 to ext4, blobfs); "
		 "nothing is "
		 "mounted,\n"
		 "and what is damaged does not keep the rest from being found. BLOCK is "
		 "N or "
		 "N-M,\n"
		 "counted from the start of the partition, as cairn verify counts them.\n"
		 "\n"
		 "  --partition N    the partition (default: root or /usr)\n"
		 "  --block-size N   bytes of a block (default: 4096)\n"
		 "  --json           as JSON (docs/verify-json.md)\n"
		 "  --quiet          nothing on stderr but errors\n",
};
