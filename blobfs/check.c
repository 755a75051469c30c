/* SPDX-License-Identifier: MIT */
#include "blobfs/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blobfs/check_parts.h"
#include "blobfs/refs.h"
#include "core/hex.h"

void blobfs_check_report(
	struct check_run *run, enum status status, const char *format, ...)
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

const char *blobfs_check_hex(const uint8_t *digest)
{
	static _Thread_local char text[2 * BLOBFS_DIGEST_SIZE + 1];
	return hex_encode(digest, BLOBFS_DIGEST_SIZE, text);
}

void blobfs_check_opened(struct check_run *run, const struct blobfs_entry *entry,
	int error, uint64_t bad_offset)
{
	const char *name = blobfs_check_hex(entry->digest);
	if (error == BLOBFS_MALFORMED) {
		blobfs_check_report(
			run, STATUS_FORMAT, "blob %s: its entry makes no sense", name);
		return;
	}
	if (!blobfs_usage_mark_entry(&run->usage, entry))
		blobfs_check_report(
			run, STATUS_FORMAT, "blob %s: overlaps something else", name);
	if (error)
		blobfs_check_report(run, STATUS_CONTENT, "blob %s: image offset %ju: %s",
			name, (uintmax_t)bad_offset,
			error == BLOBFS_IO ? "cannot be read" : "bad size or tree");
	else
		run->check->n_bytes += entry->size;
}

/* A recorded error becomes a finding, unless it says nothing about the image. */
static int take_finding(struct check_run *run, int r)
{
	enum status status = error_status();
	if (r >= 0 || (status != STATUS_CONTENT && status != STATUS_FORMAT))
		return r;
	blobfs_check_report(run, status, "%s", error_text());
	return 0;
}

static int check_entry(struct check_run *run, const struct blobfs_entry *entry)
{
	struct blobfs *fs = &run->store->fs;
	struct blobfs_blob blob;
	run->check->n_blobs++;
	if (!run->check->skip_data)
		return blobfs_check_queue(run, entry);
	int r = blobfs_open_entry(fs, entry, &blob);
	blobfs_check_opened(run, entry, r, fs->bad_offset);
	return 0;
}

static int check_index(struct check_run *run)
{
	struct blobfs_walk walk;
	struct blobfs_entry entry;
	struct blobfs *fs = &run->store->fs;
	for (uint32_t i = 0; i < fs->n_runs; i++)
		if (!blobfs_usage_mark(&run->usage, fs->runs[i].offset,
			    fs->runs[i].pages * BLOBFS_BLOCK, BLOBFS_WHOLE))
			blobfs_check_report(run, STATUS_FORMAT,
				"index run %u overlaps something else", i);
	int r = blobfs_walk_start(
		&walk, fs, run->store->device->name, NULL, 0, fs->n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &entry)) > 0)
		r = entry.size == BLOBFS_TOMBSTONE ? 0 : check_entry(run, &entry);
	blobfs_walk_stop(&walk);
	r = take_finding(run, r);
	return r < 0 || run->check->skip_data ? r : blobfs_check_bytes(run);
}

static int check_free(struct check_run *run)
{
	struct blobfs_space space = {0};
	const struct blobfs *fs = &run->store->fs;
	if (!blobfs_usage_mark(&run->usage, fs->free.offset,
		    fs->free.pages * BLOBFS_BLOCK, BLOBFS_WHOLE))
		blobfs_check_report(
			run, STATUS_FORMAT, "the free list overlaps something else");
	int r = take_finding(run, blobfs_space_load(&space, fs, run->store->device));
	for (size_t i = 0; i < space.n_extents; i++) {
		const struct blobfs_extent *e = &space.extents[i];
		run->check->n_free += e->blocks;
		if (!blobfs_usage_mark(&run->usage, e->offset, e->blocks * BLOBFS_BLOCK,
			    BLOBFS_FREE))
			blobfs_check_report(run, STATUS_FORMAT,
				"offset %ju: is in use and in the free list",
				(uintmax_t)e->offset);
	}
	for (uint64_t i = 0; i < run->usage.n_blocks; i++)
		run->check->n_lost += blobfs_usage_get(&run->usage, i) == BLOBFS_UNUSED;
	blobfs_space_free(&space);
	return r;
}

static int check_refs(struct check_run *run)
{
	AUTO_BLOBFS_REFS refs = {0};
	struct blobfs_entry entry;
	int r = blobfs_refs_load(&refs, run->store);
	if (r == -ENOENT) {
		blobfs_check_report(run, STATUS_FORMAT, "the refs blob is missing");
		return 0;
	}
	r = take_finding(run, r);
	for (size_t i = 0; i < refs.n_refs && r == 0; i++)
		if (blobfs_find(&run->store->fs, refs.refs[i].digest, &entry) ==
			BLOBFS_MISSING)
			blobfs_check_report(run, STATUS_FORMAT,
				"ref %s: its blob %s is missing", refs.refs[i].name,
				blobfs_check_hex(refs.refs[i].digest));
	return r;
}

/*
 * The superblock that does not count may be torn, from a change that was interrupted; the
 * next change repairs that. One that cannot be read may be the one that counts.
 */
static void check_supers(struct check_run *run)
{
	struct blobfs_device *d = run->store->device;
	for (uint64_t i = 0; i < 2; i++) {
		uint8_t block[BLOBFS_BLOCK], seal[BLOBFS_DIGEST_SIZE];
		struct span sealed = span_of(block, BLOBFS_SEAL);
		if (run->store->fs.unread >> i & 1)
			blobfs_check_report(run, STATUS_UNCHECKED,
				"superblock %c cannot be read: a state newer than "
				"generation %ju may be in it",
				i ? 'B' : 'A', (uintmax_t)run->store->fs.generation);
		else if (d->read(d->context, i * BLOBFS_SUPER_B, block, sizeof block) <
				 0 ||
			 hash_parts(HASH_SHA256, &sealed, 1, seal) < 0 ||
			 memcmp(seal, block + BLOBFS_SEAL, sizeof seal) != 0)
			run->check->bad_super = i ? 'B' : 'A';
		blobfs_usage_mark(
			&run->usage, i * BLOBFS_SUPER_B, BLOBFS_BLOCK, BLOBFS_WHOLE);
	}
}

int blobfs_check(struct blobfs_check *check, struct blobfs_store *s)
{
	struct check_run run = {.check = check, .store = s};
	check->n_blobs = check->n_bytes = check->n_free = 0;
	check->n_lost = check->n_findings = 0;
	check->worst = STATUS_GOOD;
	check->bad_super = 0;
	int r = blobfs_usage_start(&run.usage, s->fs.used_end / BLOBFS_BLOCK);
	if (r == 0)
		r = blobfs_check_start(&run);
	if (r == 0) {
		check_supers(&run);
		r = check_index(&run);
	}
	if (r == 0)
		r = check_free(&run);
	if (r == 0)
		r = check_refs(&run);
	blobfs_check_stop(&run);
	blobfs_usage_free(&run.usage);
	return r;
}
