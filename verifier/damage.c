/* SPDX-License-Identifier: MIT */
#include "verifier/damage.h"

#include "verifier/locate.h"

/* So many ranges of bad blocks are told one by one; then comes their number. */
#define MAX_RANGES 10000

/* And so many things of each are named in the sentence; the JSON has all. */
#define MAX_NAMED 8

/* Where the ranges of a check are counted from, and what is wrong with them. */
struct told {
	const struct place *place;
	uint64_t offset; /* of block 0 in the image */
	uint32_t block_size;
	enum status status;
	const char *text;
	const struct locator *locator; /* NULL: the blocks are of no file */
};

static void tell_range(
	const struct told *told, const struct range *r, struct report *report)
{
	BUFFER text = {0};
	uint64_t at = r->first * told->block_size, size = r->count * told->block_size;
	struct place place = {.area = told->place->area,
		.partition = told->place->partition,
		.offset = told->offset + at,
		.size = size,
		.block = r->first,
		.n_blocks = r->count};
	json_object *where = NULL;
	if (told->locator) {
		where = locator_json(told->locator, at, size);
		if (locator_describe(told->locator, at, size, MAX_NAMED, &text) < 0)
			report->incomplete = true;
	}
	report_damage(report, told->status, "tree", &place, where, "%s%s%s", told->text,
		text.size ? ": " : "", buffer_text(&text));
}

static void tell_ranges(
	const struct told *told, const struct ranges *ranges, struct report *report)
{
	uint64_t left = ranges->blocks;
	for (size_t i = 0; i < ranges->n_items && i < MAX_RANGES; i++) {
		left -= ranges->items[i].count;
		tell_range(told, &ranges->items[i], report);
	}
	if (left)
		report_fault(report, told->status, "tree", told->place,
			"and %ju more blocks: %s", (uintmax_t)left, told->text);
}

static int want(struct locator *l, const struct ranges *ranges, uint32_t block_size)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ranges->n_items && i < MAX_RANGES; i++)
		r = locator_want(l, ranges->items[i].first * block_size,
			ranges->items[i].count * block_size);
	return r;
}

/* What of it makes the answer less than it could be. */
static void tell_limits(
	const struct locator *l, const struct place *place, struct report *report)
{
	for (size_t i = 0; i < l->n_faults; i++)
		report_note(report, "locate", place, "files are missing here: %s",
			l->faults[i]);
	if (l->n_more_faults)
		report_note(report, "locate", place, "and %ju more that cannot be read",
			(uintmax_t)l->n_more_faults);
	if (l->incomplete)
		report_note(report, "locate", place,
			"more is damaged than can be told: files are missing here");
	if (locator_read_wanted(l))
		report_note(report, "locate", place,
			"names and places were read from damaged blocks too: other files "
			"may be missing here, or named wrongly");
}

void damage_report(const struct payload *p, const struct merkle_damage *damage,
	struct report *report)
{
	AUTO_LOCATOR l = {0};
	uint32_t block_size = p->params.data_block_size;
	locator_init(
		&l, p->disk->file, p->data.offset, p->params.data_blocks * block_size);
	int r = want(&l, &damage->bad_data, block_size);
	if (r == 0)
		r = want(&l, &damage->unknown_data, block_size);
	if (r == 0)
		r = want(&l, &damage->unreadable_data, block_size);
	if (r == 0 && l.n_wanted)
		r = locate(&l);
	if (r < 0)
		report_error(report, "locate", &p->data, p->disk->file->name);
	const struct locator *found = r < 0 ? NULL : &l;
	const struct told told[] = {
		{&p->verity, p->tree_offset, p->params.hash_block_size, STATUS_CONTENT,
			"tree block is not what its hash says", NULL},
		{&p->verity, p->tree_offset, p->params.hash_block_size, STATUS_UNCHECKED,
			"tree block cannot be checked: the block with its hash is bad",
			NULL},
		{&p->data, p->data.offset, block_size, STATUS_CONTENT,
			"is not what its hash says", found},
		{&p->data, p->data.offset, block_size, STATUS_UNCHECKED,
			"cannot be checked: the tree block with its hash is bad", found},
		{&p->verity, p->tree_offset, p->params.hash_block_size, STATUS_FAILED,
			"tree block cannot be read: the disk fails there", NULL},
		{&p->data, p->data.offset, block_size, STATUS_FAILED,
			"cannot be read: the disk fails there", found},
	};
	tell_ranges(&told[0], &damage->bad_tree, report);
	tell_ranges(&told[1], &damage->unknown_tree, report);
	tell_ranges(&told[2], &damage->bad_data, report);
	tell_ranges(&told[3], &damage->unknown_data, report);
	tell_ranges(&told[4], &damage->unreadable_tree, report);
	tell_ranges(&told[5], &damage->unreadable_data, report);
	if (found)
		tell_limits(found, &p->data, report);
}
