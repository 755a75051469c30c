/* SPDX-License-Identifier: MIT */
#include "blobfs/bulk.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/reader_parts.h"
#include "core/huge.h"

/* Every block of the window, and a tail and a tree for each blob. */
#define MAX_PARTS (BLOBFS_BULK_SIZE / BLOBFS_BLOCK + BLOBFS_BULK_BLOBS)

struct blobfs_bulk {
	struct blobfs_device *device;
	struct block_hash descriptor_hash;
	uint8_t window[BLOBFS_BULK_SIZE]; /* `size` bytes of the device, from `low` */
	uint64_t low;
	uint64_t size;
	size_t n_parts;
	struct block_hash_part parts[MAX_PARTS];
	struct blobfs_blob blobs[BLOBFS_BULK_BLOBS];
	struct blobfs_descriptor descriptors[BLOBFS_BULK_BLOBS];
	uint8_t digests[BLOBFS_BULK_BLOBS][BLOBFS_DIGEST_SIZE];
	uint8_t tails[BLOBFS_BULK_BLOBS][BLOBFS_BLOCK]; /* zero-padded */
	uint8_t trees[BLOBFS_BULK_BLOBS][BLOBFS_BLOCK]; /* as they should be */
	uint8_t stored[BLOBFS_BLOCK];
};

int blobfs_bulk_new(struct blobfs_bulk **bp, struct blobfs_device *device)
{
	struct blobfs_bulk *b = *bp = huge_alloc(sizeof *b);
	if (!b)
		return error_memory();
	b->device = device;
	b->descriptor_hash = (struct block_hash){0};
	return block_hash_init(&b->descriptor_hash, HASH_SHA256,
		sizeof(struct blobfs_descriptor), span_of(NULL, 0), span_of(NULL, 0));
}

void blobfs_bulk_free(struct blobfs_bulk *b)
{
	if (!b)
		return;
	block_hash_free(&b->descriptor_hash);
	free(b);
}

uint8_t *blobfs_bulk_memory(struct blobfs_bulk *b)
{
	return b->window;
}

uint64_t blobfs_bulk_place(const struct blobfs_entry *entry, uint64_t *size)
{
	uint64_t full = entry->size & ~MASK;
	*size = full ? full : entry->size;
	return full ? entry->data : entry->tail;
}

static size_t blocks_of(const struct blobfs_blob *blob)
{
	return (size_t)u64_div_up(blob->entry.size, BLOBFS_BLOCK);
}

/* Whether the window has SIZE bytes at OFFSET. */
static bool is_in_window(const struct blobfs_bulk *b, uint64_t offset, uint64_t size)
{
	return offset >= b->low && offset - b->low <= b->size &&
	       size <= b->size - (offset - b->low);
}

/* The SIZE bytes at OFFSET: in the window, or read to BUFFER. NULL if there are none. */
static const uint8_t *get(
	struct blobfs_bulk *b, uint64_t offset, size_t size, uint8_t *buffer)
{
	struct blobfs_device *d = b->device;
	if (is_in_window(b, offset, size))
		return b->window + (offset - b->low);
	return d->read(d->context, offset, buffer, size) == 0 ? buffer : NULL;
}

/* Which blobs have all their parts on the device, and where they begin and end. */
static void place(struct blobfs_bulk *b, const struct blobfs *fs,
	const struct blobfs_entry *const *entries, size_t n, bool *good)
{
	b->low = UINT64_MAX;
	b->size = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t size, at = blobfs_bulk_place(entries[i], &size) & ~MASK;
		b->blobs[i].entry = *entries[i];
		good[i] = blobfs_place(fs, &b->blobs[i]) == 0 &&
			  blocks_of(&b->blobs[i]) <= BLOBFS_BULK_BLOCKS;
		if (!good[i] || size == 0)
			continue;
		if (b->low == UINT64_MAX)
			b->low = at;
		uint64_t end = (at + size + MASK) & ~MASK;
		good[i] = at >= b->low && end - b->low <= BLOBFS_BULK_SIZE;
		if (good[i] && end - b->low > b->size)
			b->size = end - b->low;
	}
	/* A device need not end with a block. */
	if (b->size > 0 && b->size > fs->platform.size - b->low)
		b->size = fs->platform.size - b->low;
}

static void push(
	struct blobfs_bulk *b, const uint8_t *block, size_t used, uint8_t *digest)
{
	b->parts[b->n_parts++] = (struct block_hash_part){block, used, digest};
}

static void describe(struct blobfs_bulk *b, size_t i)
{
	struct blobfs_descriptor *d = &b->descriptors[i];
	memset(d, 0, sizeof *d);
	d->version = 1;
	d->hash_algorithm = BLOBFS_HASH_SHA256;
	d->block_log2 = BLOBFS_BLOCK_LOG2;
	put_le64(d->size, b->blobs[i].entry.size);
}

/* Where the hash of block NUMBER of blob I goes: to its tree, or it is the root. */
static uint8_t *hash_of(struct blobfs_bulk *b, size_t i, size_t number)
{
	return blocks_of(&b->blobs[i]) > 1 ? b->trees[i] + number * BLOBFS_DIGEST_SIZE
					   : b->descriptors[i].root;
}

/* Queues the full blocks of blob I. Whether there is room for them and a tail. */
static bool push_full(struct blobfs_bulk *b, size_t i)
{
	const struct blobfs_entry *e = &b->blobs[i].entry;
	size_t n = (size_t)(e->size / BLOBFS_BLOCK);
	/* Blobs that lie over each other could have any number of blocks. */
	if (n > MAX_PARTS - BLOBFS_BULK_BLOBS - b->n_parts)
		return false;
	for (size_t k = 0; k < n; k++)
		push(b, b->window + (e->data - b->low) + k * BLOBFS_BLOCK, BLOBFS_BLOCK,
			hash_of(b, i, k));
	return true;
}

/* Queues the rest of blob I, if there is one. Whether it could be read. */
static bool push_tail(struct blobfs_bulk *b, size_t i)
{
	const struct blobfs_entry *e = &b->blobs[i].entry;
	size_t rest = e->size & MASK;
	uint8_t *tail = b->tails[i];
	if (!rest)
		return true;
	const uint8_t *from = get(b, e->tail, rest, tail);
	if (!from)
		return false;
	memmove(tail, from, rest);
	memset(tail + rest, 0, BLOBFS_BLOCK - rest);
	push(b, tail, rest, hash_of(b, i, (size_t)(e->size / BLOBFS_BLOCK)));
	return true;
}

static int by_used(const void *a, const void *b)
{
	size_t x = ((const struct block_hash_part *)a)->used;
	size_t y = ((const struct block_hash_part *)b)->used;
	return (x < y) - (x > y);
}

/* Queues all data, the tails by how much is in them, for the sake of block_hash_parts. */
static void push_data(struct blobfs_bulk *b, size_t n, bool *good)
{
	b->n_parts = 0;
	for (size_t i = 0; i < n; i++) {
		describe(b, i);
		good[i] = good[i] && push_full(b, i);
	}
	size_t n_full = b->n_parts;
	for (size_t i = 0; i < n; i++)
		good[i] = good[i] && push_tail(b, i);
	qsort(b->parts + n_full, b->n_parts - n_full, sizeof b->parts[0], by_used);
}

/* Queues the tree of blob I, if it has one. Whether what is stored is the same. */
static bool push_tree(struct blobfs_bulk *b, size_t i)
{
	size_t n = blocks_of(&b->blobs[i]), size = n * BLOBFS_DIGEST_SIZE;
	uint8_t *tree = b->trees[i];
	if (n <= 1)
		return true;
	const uint8_t *stored = get(b, b->blobs[i].entry.tree, size, b->stored);
	if (!stored || memcmp(stored, tree, size) != 0)
		return false;
	memset(tree + size, 0, BLOBFS_BLOCK - size);
	push(b, tree, size, b->descriptors[i].root);
	return true;
}

static bool hash_parts_now(struct blobfs_bulk *b)
{
	size_t n = b->n_parts;
	b->n_parts = 0;
	return block_hash_parts(&b->device->hash, b->parts, n) == 0;
}

void blobfs_bulk_verify(struct blobfs_bulk *b, const struct blobfs *fs,
	const struct blobfs_entry *const *entries, size_t n, bool *good)
{
	struct blobfs_device *d = b->device;
	place(b, fs, entries, n, good);
	bool all = b->size == 0 ||
		   d->read(d->context, b->low, b->window, (size_t)b->size) == 0;
	if (all)
		push_data(b, n, good);
	all = all && hash_parts_now(b);
	for (size_t i = 0; i < n && all; i++)
		good[i] = good[i] && push_tree(b, i);
	all = all && hash_parts_now(b) &&
	      block_hash_run(&b->descriptor_hash, (const uint8_t *)b->descriptors, n,
		      b->digests[0], BLOBFS_DIGEST_SIZE) == 0;
	for (size_t i = 0; i < n; i++)
		good[i] = all && good[i] && is_digest(b->digests[i], entries[i]->digest);
}
