/* SPDX-License-Identifier: MIT */
#include "blobfs/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/refs.h"
#include "blobfs/usage.h"
#include "core/hex.h"
#include "core/progress.h"
#include "core/workers.h"

#define CHUNK       ((uint64_t)1 << 20)
#define BATCH_ITEMS 1024
#define N_SLOTS     8

/* A blob, or a part of a large one that was opened already, verified by one thread. */
struct item {
	struct blobfs_entry entry;
	uint64_t offset;
	bool is_whole;
	bool is_open; /* size and tree are good */
	bool is_bad;  /* the bytes, or it could not be opened, for this reason: */
	int error;
	uint64_t bad_offset;
};

struct worker {
	struct blobfs fs;
	struct blobfs_slot slots[N_SLOTS];
	uint8_t *data;
};

struct run {
	struct blobfs_check *check;
	struct blobfs_store *store;
	struct blobfs_usage usage;
	struct item *items;
	size_t n_items;
	struct worker *workers;
	unsigned n_workers;
};

static void report(struct run *run, enum status status, const char *format, ...)
	ERROR_PRINTF(3, 4);

static void report(struct run *run, enum status status, const char *format, ...)
{
	char sentence[512];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	struct blobfs_check *c = run->check;
	c->n_findings++;
	c->worst = status_worse(c->worst, status);
	c->found(c->context, status, sentence);
}

/* A recorded error becomes a finding, unless it says nothing about the image. */
static int take_finding(struct run *run, int r)
{
	enum status status = error_status();
	if (r >= 0 || (status != STATUS_CONTENT && status != STATUS_FORMAT))
		return r;
	report(run, status, "%s", error_text());
	return 0;
}

static const char *hex(const uint8_t *digest)
{
	static _Thread_local char text[2 * BLOBFS_DIGEST_SIZE + 1];
	return hex_encode(digest, BLOBFS_DIGEST_SIZE, text);
}

/* ---- bytes --------------------------------------------------------------------------
 */

static int verify_item(void *context, unsigned worker, uint64_t number)
{
	struct run *run = context;
	struct item *item = &run->items[number];
	struct worker *w = &run->workers[worker];
	struct blobfs_blob blob;
	size_t n = 0;
	int r = item->error = blobfs_open_entry(&w->fs, &item->entry, &blob);
	item->bad_offset = w->fs.bad_offset;
	item->is_open = r == 0;
	/* To open a blob of one block is to verify it. */
	n = r == 0 && blob.levels == 0 ? (size_t)blob.entry.size : 0;
	if (r == 0 && blob.levels > 0)
		r = blobfs_read(&w->fs, &blob, item->offset, w->data, CHUNK, &n);
	if (r == 0)
		progress_add(n);
	/* Unreadable blocks are bad blocks: the device said so for this place only. */
	item->is_bad = r != 0;
	return 0;
}

/* Takes what opening a blob gave, its places and its size into account. */
static void take_opened(
	struct run *run, const struct blobfs_entry *entry, int error, uint64_t bad_offset)
{
	if (error == BLOBFS_MALFORMED) {
		report(run, STATUS_FORMAT, "blob %s: its entry makes no sense",
			hex(entry->digest));
		return;
	}
	if (!blobfs_usage_mark_entry(&run->usage, entry))
		report(run, STATUS_FORMAT, "blob %s: overlaps something else",
			hex(entry->digest));
	if (error)
		report(run, STATUS_CONTENT, "blob %s: image offset %ju: %s",
			hex(entry->digest), (uintmax_t)bad_offset,
			error == BLOBFS_IO ? "cannot be read" : "bad size or tree");
	else
		run->check->n_bytes += entry->size;
}

/* Names the bad blocks of an item that did not verify. Returns whether to go on. */
static void name_bad_blocks(struct run *run, const struct item *item)
{
	struct worker *w = &run->workers[0];
	struct blobfs_blob blob;
	uint64_t end = item->offset + CHUNK;
	size_t n;
	if (blobfs_open_entry(&w->fs, &item->entry, &blob) != 0)
		return;
	if (end > item->entry.size)
		end = item->entry.size;
	for (uint64_t at = item->offset; at < end; at += BLOBFS_BLOCK) {
		int r = blobfs_read(&w->fs, &blob, at, w->data, BLOBFS_BLOCK, &n);
		if (r == 0)
			continue;
		report(run, STATUS_CONTENT, "blob %s: offset %ju (image offset %ju): %s",
			hex(item->entry.digest), (uintmax_t)at,
			(uintmax_t)w->fs.bad_offset,
			r == BLOBFS_IO ? "cannot be read" : "bad block");
		if (!run->check->all)
			return;
	}
}

static int verify_batch(struct run *run)
{
	const uint8_t *last = NULL;
	int r = workers_run(run->n_workers, run->n_items, verify_item, run);
	for (size_t i = 0; i < run->n_items && r == 0; i++) {
		const struct item *item = &run->items[i];
		bool same = last && !memcmp(last, item->entry.digest, BLOBFS_DIGEST_SIZE);
		if (item->is_whole)
			take_opened(run, &item->entry, item->error, item->bad_offset);
		if (!item->is_bad || !item->is_open || (same && !run->check->all))
			continue;
		name_bad_blocks(run, item);
		last = item->entry.digest;
	}
	run->n_items = 0;
	return r;
}

static int queue_item(struct run *run, const struct item *item)
{
	run->items[run->n_items++] = *item;
	return run->n_items == BATCH_ITEMS ? verify_batch(run) : 0;
}

static int queue_data(struct run *run, const struct blobfs_entry *entry)
{
	int r = 0;
	for (uint64_t at = 0; at < entry->size && r == 0; at += CHUNK)
		r = queue_item(run, &(struct item){.entry = *entry, .offset = at});
	return r;
}

/* ---- structure ----------------------------------------------------------------------
 */

static int check_entry(struct run *run, const struct blobfs_entry *entry)
{
	struct blobfs *fs = &run->store->fs;
	struct blobfs_blob blob;
	run->check->n_blobs++;
	/* The size of a large one is verified before its parts are counted. */
	if (!run->check->skip_data && entry->size <= CHUNK)
		return queue_item(run, &(struct item){.entry = *entry, .is_whole = true});
	int r = blobfs_open_entry(fs, entry, &blob);
	take_opened(run, entry, r, fs->bad_offset);
	return r || run->check->skip_data ? 0 : queue_data(run, entry);
}

static int check_index(struct run *run)
{
	struct blobfs_walk walk;
	struct blobfs_entry entry;
	struct blobfs *fs = &run->store->fs;
	for (uint32_t i = 0; i < fs->n_runs; i++)
		if (!blobfs_usage_mark(&run->usage, fs->runs[i].offset,
			    fs->runs[i].pages * BLOBFS_BLOCK, BLOBFS_WHOLE))
			report(run, STATUS_FORMAT, "index run %u overlaps something else",
				i);
	int r = blobfs_walk_start(
		&walk, fs, run->store->device->name, NULL, 0, fs->n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &entry)) > 0)
		r = entry.size == BLOBFS_TOMBSTONE ? 0 : check_entry(run, &entry);
	blobfs_walk_stop(&walk);
	r = take_finding(run, r);
	return r < 0 || run->check->skip_data ? r : verify_batch(run);
}

static int check_free(struct run *run)
{
	struct blobfs_space space = {0};
	const struct blobfs *fs = &run->store->fs;
	if (!blobfs_usage_mark(&run->usage, fs->free.offset,
		    fs->free.pages * BLOBFS_BLOCK, BLOBFS_WHOLE))
		report(run, STATUS_FORMAT, "the free list overlaps something else");
	int r = take_finding(run, blobfs_space_load(&space, fs, run->store->device));
	for (size_t i = 0; i < space.n_extents; i++) {
		const struct blobfs_extent *e = &space.extents[i];
		run->check->n_free += e->blocks;
		if (!blobfs_usage_mark(&run->usage, e->offset, e->blocks * BLOBFS_BLOCK,
			    BLOBFS_FREE))
			report(run, STATUS_FORMAT,
				"offset %ju: is in use and in the free list",
				(uintmax_t)e->offset);
	}
	for (uint64_t i = 0; i < run->usage.n_blocks; i++)
		run->check->n_lost += blobfs_usage_get(&run->usage, i) == BLOBFS_UNUSED;
	blobfs_space_free(&space);
	return r;
}

static int check_refs(struct run *run)
{
	AUTO_BLOBFS_REFS refs = {0};
	struct blobfs_entry entry;
	int r = blobfs_refs_load(&refs, run->store);
	if (r == -ENOENT) {
		report(run, STATUS_FORMAT, "the refs blob is missing");
		return 0;
	}
	r = take_finding(run, r);
	for (size_t i = 0; i < refs.n_refs && r == 0; i++)
		if (blobfs_find(&run->store->fs, refs.refs[i].digest, &entry) ==
			BLOBFS_MISSING)
			report(run, STATUS_FORMAT, "ref %s: its blob %s is missing",
				refs.refs[i].name, hex(refs.refs[i].digest));
	return r;
}

/*
 * The superblock that does not count may be torn, from a change that was interrupted; the
 * next change repairs that.
 */
static void check_supers(struct run *run)
{
	struct blobfs_device *d = run->store->device;
	for (uint64_t i = 0; i < 2; i++) {
		uint8_t block[BLOBFS_BLOCK], seal[BLOBFS_DIGEST_SIZE];
		struct span sealed = span_of(block, BLOBFS_SEAL);
		if (d->read(d->context, i * BLOBFS_SUPER_B, block, sizeof block) < 0 ||
			hash_parts(HASH_SHA256, &sealed, 1, seal) < 0 ||
			memcmp(seal, block + BLOBFS_SEAL, sizeof seal) != 0)
			run->check->bad_super = i ? 'B' : 'A';
		blobfs_usage_mark(
			&run->usage, i * BLOBFS_SUPER_B, BLOBFS_BLOCK, BLOBFS_WHOLE);
	}
}

static int start_workers(struct run *run)
{
	unsigned jobs = run->check->jobs ? run->check->jobs : workers_default();
	run->items = calloc(BATCH_ITEMS, sizeof *run->items);
	run->workers = calloc(jobs, sizeof *run->workers);
	if (!run->items || !run->workers)
		return error_memory();
	struct blobfs_platform platform = blobfs_device_platform(run->store->device);
	for (; run->n_workers < jobs; run->n_workers++) {
		struct worker *w = &run->workers[run->n_workers];
		w->data = malloc(CHUNK);
		if (!w->data)
			return error_memory();
		int r = blobfs_open(&w->fs, &platform, w->slots, N_SLOTS);
		if (r)
			return blobfs_failed(&w->fs, run->store->device->name, r);
	}
	return 0;
}

int blobfs_check(struct blobfs_check *check, struct blobfs_store *s)
{
	struct run run = {.check = check, .store = s};
	check->n_blobs = check->n_bytes = check->n_free = 0;
	check->n_lost = check->n_findings = 0;
	check->worst = STATUS_GOOD;
	check->bad_super = 0;
	int r = blobfs_usage_start(&run.usage, s->fs.used_end / BLOBFS_BLOCK);
	if (r == 0)
		r = start_workers(&run);
	if (r == 0) {
		check_supers(&run);
		r = check_index(&run);
	}
	if (r == 0)
		r = check_free(&run);
	if (r == 0)
		r = check_refs(&run);
	for (unsigned i = 0; run.workers && i <= run.n_workers; i++)
		if (i < run.n_workers)
			free(run.workers[i].data);
	free(run.workers);
	free(run.items);
	blobfs_usage_free(&run.usage);
	return r;
}
