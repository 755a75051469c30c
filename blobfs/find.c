/* SPDX-License-Identifier: MIT */
#include "blobfs/find.h"

#include <string.h>

/* After so many guesses the index is not an honest one, and its pages are bisected. */
#define GUESSES 4

/* What is left of a run, and between which digests, by their first bytes. */
struct range {
	uint64_t low, high; /* pages */
	uint64_t low_key, high_key;
};

static uint64_t key_of(const uint8_t *digest)
{
	uint64_t key = 0;
	for (unsigned i = 0; i < 8; i++)
		key = key << 8 | digest[i];
	return key;
}

static uint64_t guess(const struct range *r, uint64_t key)
{
	uint64_t n = r->high - r->low;
	if (key <= r->low_key)
		return r->low;
	if (key >= r->high_key)
		return r->high - 1;
	unsigned __int128 part = (unsigned __int128)n * (key - r->low_key);
	return r->low + (uint64_t)(part / (r->high_key - r->low_key));
}

/* As blobfs_read_page, from what is kept in PAGES or to it, if there are any. */
static int read_page(struct blobfs *fs, struct blobfs_pages *pages,
	const struct blobfs_run *run, uint64_t page, uint32_t *count)
{
	uint64_t offset = run->offset + page * BLOBFS_BLOCK;
	size_t slot = (size_t)(offset / BLOBFS_BLOCK % BLOBFS_KEPT_PAGES);
	if (pages && pages->labels[slot] == offset + 1) {
		memcpy(fs->block, pages->blocks[slot], BLOBFS_BLOCK);
		*count = get_le32(((const struct blobfs_page *)fs->block)->count);
		return 0;
	}
	int r = blobfs_read_page(fs, run, page, count);
	if (r == 0 && pages) {
		memcpy(pages->blocks[slot], fs->block, BLOBFS_BLOCK);
		pages->labels[slot] = offset + 1;
	}
	return r;
}

/* The number of entries among COUNT of the page in FS->block that sort before DIGEST. */
static uint32_t search_page(const struct blobfs *fs, uint32_t count,
	const uint8_t *digest, struct blobfs_entry *entry)
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		blobfs_page_entry(fs, middle, entry);
		if (memcmp(entry->digest, digest, BLOBFS_DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Looks into PAGE: finds the entry, or makes the range smaller, perhaps empty. */
static int look_into(struct blobfs *fs, struct blobfs_pages *pages,
	const struct blobfs_run *run, uint64_t page, const uint8_t *digest,
	struct range *range, struct blobfs_entry *entry, uint32_t *at)
{
	uint32_t count;
	int r = read_page(fs, pages, run, page, &count);
	if (r)
		return r;
	*at = search_page(fs, count, digest, entry);
	blobfs_page_entry(fs, *at < count ? *at : count - 1, entry);
	if (*at < count && !memcmp(entry->digest, digest, BLOBFS_DIGEST_SIZE))
		return 0;
	if (*at == count) {
		range->low = page + 1;
		range->low_key = key_of(entry->digest);
	} else {
		range->high = *at ? range->low : page;
		range->high_key = key_of(entry->digest);
	}
	return BLOBFS_MISSING;
}

static int find_in_run(struct blobfs *fs, struct blobfs_pages *pages,
	const struct blobfs_run *run, const uint8_t *digest, struct blobfs_entry *entry,
	struct blobfs_place *place)
{
	struct range range = {0, run->pages, 0, UINT64_MAX};
	uint64_t key = key_of(digest);
	for (unsigned n = 0; range.low < range.high; n++) {
		place->page = n < GUESSES ? guess(&range, key)
					  : range.low + (range.high - range.low) / 2;
		int r = look_into(
			fs, pages, run, place->page, digest, &range, entry, &place->at);
		if (r != BLOBFS_MISSING)
			return r;
	}
	return BLOBFS_MISSING;
}

int blobfs_find_place(struct blobfs *fs, struct blobfs_pages *pages,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], struct blobfs_entry *entry,
	struct blobfs_place *place)
{
	for (place->run = 0; place->run < fs->n_runs; place->run++) {
		int r = find_in_run(
			fs, pages, &fs->runs[place->run], digest, entry, place);
		if (r == 0 && entry->size == BLOBFS_TOMBSTONE)
			return BLOBFS_MISSING;
		if (r != BLOBFS_MISSING)
			return r;
	}
	return BLOBFS_MISSING;
}

int blobfs_entry_at(
	struct blobfs *fs, const struct blobfs_place *place, struct blobfs_entry *entry)
{
	uint32_t count;
	if (place->run >= fs->n_runs || place->page >= fs->runs[place->run].pages)
		return BLOBFS_MISSING;
	int r = blobfs_read_page(fs, &fs->runs[place->run], place->page, &count);
	if (r || place->at >= count)
		return r ? r : BLOBFS_MISSING;
	blobfs_page_entry(fs, place->at, entry);
	return entry->size == BLOBFS_TOMBSTONE ? BLOBFS_MISSING : 0;
}
