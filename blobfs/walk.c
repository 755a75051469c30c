/* SPDX-License-Identifier: MIT */
#include "blobfs/walk.h"

#include <stdlib.h>
#include <string.h>

/* Where the walk is in one run: the entries of the current page are kept. */
struct blobfs_cursor {
	struct blobfs_run run;
	uint64_t page; /* the next to be read */
	uint32_t at;
	uint32_t count;
	struct blobfs_entry entries[BLOBFS_PAGE_ENTRIES];
};

static int by_digest(const struct blobfs_entry *a, const struct blobfs_entry *b)
{
	return memcmp(a->digest, b->digest, BLOBFS_DIGEST_SIZE);
}

/* Makes sure that there is a current entry, or count == 0 at the end of the run. */
static int fill(struct blobfs_walk *w, struct blobfs_cursor *c)
{
	if (c->at < c->count)
		return 0;
	struct blobfs_entry last = {0};
	bool has_last = c->count > 0;
	if (has_last)
		last = c->entries[c->count - 1];
	c->at = 0;
	c->count = 0;
	if (c->page == c->run.pages)
		return 0;
	uint64_t page = c->page++;
	int r = blobfs_read_page(w->fs, &c->run, page, &c->count);
	if (r)
		return blobfs_failed(w->fs, w->name, r);
	for (uint32_t i = 0; i < c->count; i++) {
		blobfs_page_entry(w->fs, i, &c->entries[i]);
		if (has_last && by_digest(&last, &c->entries[i]) >= 0)
			return error_format("%s: offset %ju: index page is not sorted",
				w->name,
				(uintmax_t)(c->run.offset + page * BLOBFS_BLOCK));
		last = c->entries[i];
		has_last = true;
	}
	return 0;
}

int blobfs_walk_start(struct blobfs_walk *w, struct blobfs *fs, const char *name,
	const struct blobfs_entry *added, size_t n_added, uint32_t n_runs)
{
	*w = (struct blobfs_walk){.fs = fs,
		.name = name,
		.added = added,
		.n_added = n_added,
		.n_runs = n_runs};
	w->cursors = calloc(n_runs + 1, sizeof *w->cursors);
	if (!w->cursors)
		return error_memory();
	for (uint32_t i = 0; i < n_runs; i++)
		w->cursors[i].run = fs->runs[i];
	return 0;
}

int blobfs_walk_next(struct blobfs_walk *w, struct blobfs_entry *entry)
{
	const struct blobfs_entry *best = w->n_added ? w->added : NULL;
	for (uint32_t i = 0; i < w->n_runs; i++) {
		struct blobfs_cursor *c = &w->cursors[i];
		int r = fill(w, c);
		if (r < 0)
			return r;
		if (c->count && (!best || by_digest(&c->entries[c->at], best) < 0)) {
			best = &c->entries[c->at];
			w->place = (struct blobfs_place){i, c->at, c->page - 1};
		}
	}
	if (!best)
		return 0;
	*entry = *best;
	/* What is older and has the same digest is passed over with it. */
	if (w->n_added && by_digest(w->added, entry) == 0) {
		w->added++;
		w->n_added--;
	}
	for (uint32_t i = 0; i < w->n_runs; i++) {
		struct blobfs_cursor *c = &w->cursors[i];
		if (c->count && by_digest(&c->entries[c->at], entry) == 0)
			c->at++;
	}
	return 1;
}

/* The page of the cursor's run before which no entry is of interest. */
static int seek_page(
	struct blobfs_walk *w, struct blobfs_cursor *c, const struct blobfs_entry *wanted)
{
	uint64_t low = 0, high = c->run.pages;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		struct blobfs_entry first;
		uint32_t count;
		int r = blobfs_read_page(w->fs, &c->run, middle, &count);
		if (r)
			return blobfs_failed(w->fs, w->name, r);
		blobfs_page_entry(w->fs, 0, &first);
		if (by_digest(&first, wanted) <= 0)
			low = middle;
		else
			high = middle;
	}
	c->page = low;
	return 0;
}

int blobfs_walk_seek(struct blobfs_walk *w, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct blobfs_entry wanted = {0};
	memcpy(wanted.digest, digest, BLOBFS_DIGEST_SIZE);
	for (uint32_t i = 0; i < w->n_runs; i++) {
		struct blobfs_cursor *c = &w->cursors[i];
		int r = seek_page(w, c, &wanted);
		if (r == 0)
			r = fill(w, c);
		while (r == 0 && c->at < c->count &&
			by_digest(&c->entries[c->at], &wanted) < 0) {
			c->at++;
			r = fill(w, c);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void blobfs_walk_stop(struct blobfs_walk *w)
{
	free(w->cursors);
	w->cursors = NULL;
}

void blobfs_put_entry(const struct blobfs_entry *entry, struct blobfs_disk_entry *disk)
{
	memcpy(disk->digest, entry->digest, sizeof disk->digest);
	put_le64(disk->size, entry->size);
	put_le64(disk->data, entry->data);
	put_le64(disk->tree, entry->tree);
	put_le64(disk->tail, entry->tail);
}
