/* SPDX-License-Identifier: MIT */
/* The check's second part: every byte of every blob, in the order in which they lie. */
#include <stdlib.h>
#include <string.h>

#include "blobfs/check_parts.h"
#include "core/progress.h"
#include "core/workers.h"

#define MAX_ITEMS 65536
#define N_SLOTS   8

/* Of a large blob a thread verifies so much at once, by reads of one tree block's. */
#define PIECE ((uint64_t)2 << 20)
#define READ  ((size_t)BLOBFS_FANOUT * BLOBFS_BLOCK)
#define SMALL ((uint64_t)BLOBFS_BULK_BLOCKS * BLOBFS_BLOCK)

/* Small blobs farther apart than this are not read together. */
#define MAX_GAP ((uint64_t)64 << 10)

/* A small blob, or a piece of a large one that was opened before. */
struct check_item {
	struct blobfs_entry entry;
	uint64_t offset;
	bool is_small;
	bool is_open; /* size and tree are good */
	bool is_bad;  /* the bytes, or it could not be opened, for this reason: */
	int error;
	uint64_t bad_offset;
};

/* An item by where it lies. */
struct check_place {
	uint64_t place;
	struct check_item *item;
};

struct check_worker {
	struct blobfs fs;
	struct blobfs_slot slots[N_SLOTS];
	struct blobfs_bulk *bulk;
	uint8_t *data; /* of `bulk`: READ bytes */
};

/* The bytes that an item is about. */
static uint64_t size_of(const struct check_item *item)
{
	uint64_t left = item->entry.size - item->offset;
	return left < PIECE ? left : PIECE;
}

/* ---- verifying, by any thread ------------------------------------------------------ */

/* With the reader, which tells what is wrong. */
static void verify_item(struct check_worker *w, struct check_item *item)
{
	struct blobfs_blob blob;
	uint64_t at = item->offset, end = at + size_of(item);
	size_t n = 0;
	int r = item->error = blobfs_open_entry(&w->fs, &item->entry, &blob);
	item->bad_offset = w->fs.bad_offset;
	item->is_open = r == 0;
	/* To open a blob of one block is to verify it. */
	if (r == 0 && blob.levels == 0)
		at = end;
	for (; r == 0 && at < end; at += n)
		r = blobfs_read(&w->fs, &blob, at, w->data, READ, &n);
	/* Unreadable blocks are bad blocks: the device said so for this place only. */
	item->is_bad = r != 0;
}

static void verify_small(
	struct check_worker *w, const struct check_place *places, size_t n)
{
	const struct blobfs_entry *entries[BLOBFS_BULK_BLOBS] = {0};
	bool good[BLOBFS_BULK_BLOBS];
	for (size_t i = 0; i < n; i++)
		entries[i] = &places[i].item->entry;
	blobfs_bulk_verify(w->bulk, &w->fs, entries, n, good);
	for (size_t i = 0; i < n; i++) {
		places[i].item->is_open = good[i];
		if (!good[i])
			verify_item(w, places[i].item);
	}
}

static int verify_unit(void *context, unsigned worker, uint64_t number)
{
	struct check_run *run = context;
	struct check_worker *w = &run->workers[worker];
	const struct check_place *places = run->places + run->starts[number];
	size_t n = run->starts[number + 1] - run->starts[number];
	if (places->item->is_small)
		verify_small(w, places, n);
	else
		verify_item(w, places->item);
	for (size_t i = 0; i < n; i++)
		progress_add(size_of(places[i].item));
	return 0;
}

/* ---- the order in which it is done ------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct check_place *)a)->place;
	uint64_t y = ((const struct check_place *)b)->place;
	return (x > y) - (x < y);
}

static void sort_items(struct check_run *run)
{
	for (size_t i = 0; i < run->n_items; i++) {
		struct check_item *item = &run->items[i];
		uint64_t size, at = blobfs_bulk_place(&item->entry, &size);
		run->places[i] = (struct check_place){at + item->offset, item};
	}
	qsort(run->places, run->n_items, sizeof *run->places, by_place);
}

/* Whether the blob at P can be verified with those from START on, which end at END. */
static bool goes_with(
	const struct check_place *p, const struct check_place *start, uint64_t end)
{
	uint64_t size, ahead = p->place - start->place;
	blobfs_bulk_place(&p->item->entry, &size);
	return p->item->is_small && p - start < BLOBFS_BULK_BLOBS &&
	       ahead <= BLOBFS_BULK_SIZE &&
	       ahead + size + 2 * BLOBFS_BLOCK <= BLOBFS_BULK_SIZE &&
	       (p->place <= end || p->place - end <= MAX_GAP);
}

/* Divides the sorted items into units; returns how many. */
static size_t make_units(struct check_run *run)
{
	const struct check_place *all = run->places, *behind = all + run->n_items;
	size_t n = 0;
	for (const struct check_place *start = all, *p = all; p < behind; start = p) {
		uint64_t size, end;
		run->starts[n++] = (uint32_t)(start - all);
		do {
			blobfs_bulk_place(&p->item->entry, &size);
			end = p->place + size;
			p++;
		} while (p < behind && start->item->is_small && goes_with(p, start, end));
	}
	run->starts[n] = (uint32_t)run->n_items;
	return n;
}

/* ---- what came of it, in the order of the index ------------------------------------ */

/* Names the bad blocks of an item that did not verify. */
static void name_bad_blocks(struct check_run *run, const struct check_item *item)
{
	struct check_worker *w = &run->workers[0];
	const char *name = blobfs_check_hex(item->entry.digest);
	struct blobfs_blob blob;
	uint64_t end = item->offset + size_of(item);
	size_t n;
	if (blobfs_open_entry(&w->fs, &item->entry, &blob) != 0)
		return;
	for (uint64_t at = item->offset; at < end; at += BLOBFS_BLOCK) {
		int r = blobfs_read(&w->fs, &blob, at, w->data, BLOBFS_BLOCK, &n);
		if (r == 0)
			continue;
		blobfs_check_report(run, STATUS_CONTENT,
			"blob %s: offset %ju (image offset %ju): %s", name, (uintmax_t)at,
			(uintmax_t)w->fs.bad_offset,
			r == BLOBFS_IO ? "cannot be read" : "bad block");
		if (!run->check->all)
			return;
	}
}

int blobfs_check_bytes(struct check_run *run)
{
	const uint8_t *last = NULL;
	sort_items(run);
	int r = workers_run(run->n_workers, make_units(run), verify_unit, run);
	for (size_t i = 0; i < run->n_items && r == 0; i++) {
		const struct check_item *item = &run->items[i];
		bool same = last && !memcmp(last, item->entry.digest, BLOBFS_DIGEST_SIZE);
		if (item->is_small)
			blobfs_check_opened(
				run, &item->entry, item->error, item->bad_offset);
		if (!item->is_bad || !item->is_open || (same && !run->check->all))
			continue;
		name_bad_blocks(run, item);
		last = item->entry.digest;
	}
	run->n_items = 0;
	return r;
}

/* ---- the queue --------------------------------------------------------------------- */

static int queue(struct check_run *run, const struct check_item *item)
{
	run->items[run->n_items++] = *item;
	return run->n_items == run->max_items ? blobfs_check_bytes(run) : 0;
}

int blobfs_check_queue(struct check_run *run, const struct blobfs_entry *entry)
{
	struct blobfs *fs = &run->store->fs;
	struct blobfs_blob blob;
	if (entry->size <= SMALL)
		return queue(
			run, &(struct check_item){.entry = *entry, .is_small = true});
	/* The size of a large one is verified before its parts are counted. */
	int r = blobfs_open_entry(fs, entry, &blob);
	blobfs_check_opened(run, entry, r, fs->bad_offset);
	if (r)
		return 0;
	for (uint64_t at = 0; at < entry->size && r == 0; at += PIECE)
		r = queue(run, &(struct check_item){.entry = *entry, .offset = at});
	return r;
}

static int start_worker(struct check_run *run, struct check_worker *w)
{
	struct blobfs_platform platform = blobfs_device_platform(run->store->device);
	int r = blobfs_bulk_new(&w->bulk, run->store->device);
	if (r < 0)
		return r;
	w->data = blobfs_bulk_memory(w->bulk);
	r = blobfs_open(&w->fs, &platform, w->slots, N_SLOTS);
	return r ? blobfs_failed(&w->fs, run->store->device->name, r) : 0;
}

/* Room for all there can be, or for so many that they lie close together. */
static size_t room_for(const struct blobfs *fs)
{
	uint64_t n = fs->used_end / PIECE + 1;
	for (uint32_t i = 0; i < fs->n_runs; i++)
		n += fs->runs[i].pages * BLOBFS_PAGE_ENTRIES;
	return n < MAX_ITEMS ? (size_t)n : MAX_ITEMS;
}

int blobfs_check_start(struct check_run *run)
{
	size_t n = run->max_items = room_for(&run->store->fs);
	unsigned jobs = run->check->jobs ? run->check->jobs : workers_default();
	run->items = calloc(n, sizeof *run->items);
	run->places = calloc(n, sizeof *run->places);
	run->starts = calloc(n + 1, sizeof *run->starts);
	run->workers = calloc(jobs, sizeof *run->workers);
	if (!run->items || !run->places || !run->starts || !run->workers)
		return error_memory();
	int r = 0;
	while (r == 0 && run->n_workers < jobs)
		r = start_worker(run, &run->workers[run->n_workers++]);
	return r;
}

void blobfs_check_stop(struct check_run *run)
{
	for (unsigned i = 0; i < run->n_workers; i++)
		blobfs_bulk_free(run->workers[i].bulk);
	free(run->workers);
	free(run->starts);
	free(run->places);
	free(run->items);
}
