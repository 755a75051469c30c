/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_TESTS_HANDMADE_BLOBFS_H
#define CAIRN_TESTS_HANDMADE_BLOBFS_H

/*
 * blobfs images made by hand, straight from docs/blobfs-format.md and without the writer:
 * a second opinion on the format, and the way to images that no writer would make.
 */

#include <stdlib.h>
#include <string.h>

#include "blobfs/reader.h"
#include "core/hash.h"

#define HANDMADE_SIZE (8u << 20)

struct handmade {
	uint8_t *image;
	uint64_t end;
	uint64_t device_size; /* as superblocks say it */
	uint64_t generation;
	unsigned n_entries;
	struct blobfs_disk_entry entries[256];
};

static void sha256(const void *data, size_t size, uint8_t digest[32])
{
	struct span s = span_of(data, size);
	if (hash_parts(HASH_SHA256, &s, 1, digest) < 0)
		abort();
}

static int handmade_hash(
	void *context, const uint8_t *data, size_t size, size_t count, uint8_t *digests)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		sha256(data + i * size, size, digests + i * 32);
	return 0;
}

static int handmade_read(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	memcpy(data, ((struct handmade *)context)->image + offset, size);
	return 0;
}

static inline struct blobfs_platform handmade_platform(struct handmade *h)
{
	return (struct blobfs_platform){h, HANDMADE_SIZE, handmade_read, handmade_hash};
}

static uint64_t handmade_put(struct handmade *h, const void *data, size_t size)
{
	uint64_t at = h->end;
	if (size)
		memcpy(h->image + at, data, size);
	h->end = (at + size + BLOBFS_BLOCK - 1) & ~(BLOBFS_BLOCK - 1);
	return size ? at : 0;
}

/* One level up: the hashes of N blocks, in N_UP zero-padded blocks the caller frees. */
static uint8_t *handmade_level(const uint8_t *blocks, size_t n, size_t *n_up)
{
	*n_up = (n + BLOBFS_FANOUT - 1) / BLOBFS_FANOUT;
	uint8_t *up = calloc(*n_up, BLOBFS_BLOCK);
	for (size_t i = 0; i < n; i++)
		sha256(blocks + i * BLOBFS_BLOCK, BLOBFS_BLOCK, up + i * 32);
	return up;
}

static void handmade_digest(uint64_t size, const uint8_t root[32], uint8_t digest[32])
{
	struct blobfs_descriptor d = {
		.version = 1, .hash_algorithm = 1, .block_log2 = 12};
	put_le64(d.size, size);
	memcpy(d.root, root, 32);
	sha256(&d, sizeof d, digest);
}

/* Adds a blob of at most two levels; every part starts a block of its own. */
static struct blobfs_disk_entry *handmade_add(
	struct handmade *h, const uint8_t *data, size_t size)
{
	struct blobfs_disk_entry *e = &h->entries[h->n_entries++];
	size_t leaves = (size + BLOBFS_BLOCK - 1) / BLOBFS_BLOCK, n0 = 0, n1 = 0;
	size_t full = size & ~(size_t)(BLOBFS_BLOCK - 1);
	uint8_t root[32] = {0};
	uint8_t *blocks = calloc(leaves + 1, BLOBFS_BLOCK), *level0 = NULL,
		*level1 = NULL;
	memset(e, 0, sizeof *e);
	if (size)
		memcpy(blocks, data, size);
	put_le64(e->size, size);
	put_le64(e->data, handmade_put(h, blocks, full));
	put_le64(e->tail, handmade_put(h, blocks + full, size - full));
	if (leaves == 1)
		sha256(blocks, BLOBFS_BLOCK, root);
	if (leaves > 1) {
		level0 = handmade_level(blocks, leaves, &n0);
		sha256(level0, BLOBFS_BLOCK, root);
	}
	if (n0 > 1) {
		level1 = handmade_level(level0, n0, &n1);
		sha256(level1, BLOBFS_BLOCK, root);
		put_le64(e->tree, handmade_put(h, level1, n1 * BLOBFS_BLOCK));
		handmade_put(h, level0, n0 * BLOBFS_BLOCK);
	} else if (n0 == 1) {
		put_le64(e->tree, handmade_put(h, level0, leaves * 32));
	}
	handmade_digest(size, root, e->digest);
	free(blocks);
	free(level0);
	free(level1);
	return e;
}

static void handmade_seal(uint8_t *block)
{
	sha256(block, BLOBFS_SEAL, block + BLOBFS_SEAL);
}

static int handmade_order(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* Writes N of ENTRIES, sorted, as an index run of which each page holds PER_PAGE. */
static struct blobfs_run handmade_run(struct handmade *h,
	struct blobfs_disk_entry *entries, unsigned n, unsigned per_page)
{
	struct blobfs_run run = {h->end, 0};
	qsort(entries, n, sizeof *entries, handmade_order);
	for (unsigned i = 0; i < n; i += per_page, run.pages++) {
		unsigned count = n - i < per_page ? n - i : per_page;
		uint8_t page[BLOBFS_BLOCK] = BLOBFS_INDEX_MAGIC;
		put_le32(page + BLOBFS_MAGIC_SIZE, count);
		memcpy(page + sizeof(struct blobfs_page), entries + i,
			count * sizeof *entries);
		handmade_seal(page);
		handmade_put(h, page, sizeof page);
	}
	return run;
}

static struct blobfs_super *handmade_super_at(struct handmade *h, uint64_t offset)
{
	return (struct blobfs_super *)(void *)(h->image + offset);
}

/* Writes the superblock of the next generation over RUNS, newest first. */
static struct blobfs_super *handmade_super(
	struct handmade *h, const struct blobfs_run *runs, unsigned n_runs)
{
	uint64_t at = ++h->generation % 2 ? BLOBFS_SUPER_B : 0;
	struct blobfs_super *s = handmade_super_at(h, at);
	memset(s, 0, BLOBFS_BLOCK);
	memcpy(s->magic, BLOBFS_MAGIC, sizeof s->magic);
	put_le32(s->version, BLOBFS_VERSION);
	put_le32(s->header_size, sizeof *s);
	s->block_log2 = BLOBFS_BLOCK_LOG2;
	s->hash_algorithm = BLOBFS_HASH_SHA256;
	put_le16(s->n_runs, (uint16_t)n_runs);
	put_le64(s->generation, h->generation);
	put_le64(s->device_size, h->device_size);
	put_le64(s->used_end, h->end);
	for (unsigned i = 0; i < n_runs; i++) {
		put_le64(s->runs[i].offset, runs[i].offset);
		put_le64(s->runs[i].pages, runs[i].pages);
	}
	handmade_seal((uint8_t *)s);
	return s;
}

/* All entries so far in one run, and a superblock over it. */
static inline struct blobfs_super *handmade_finish(struct handmade *h)
{
	struct blobfs_run run = handmade_run(h, h->entries, h->n_entries, 63);
	return handmade_super(h, &run, 1);
}

static void handmade_start(struct handmade *h)
{
	memset(h, 0, sizeof *h);
	h->image = calloc(1, HANDMADE_SIZE);
	h->end = BLOBFS_MIN_END;
	h->device_size = HANDMADE_SIZE;
	if (!h->image)
		abort();
}

static void handmade_stop(struct handmade *h)
{
	free(h->image);
	h->image = NULL;
}

/* The test files of fsverity-utils: f(i) = (i % 11 + i % 439 + i % 1103) & 0xff. */
static uint8_t *handmade_content(size_t size)
{
	uint8_t *data = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i % 11 + i % 439 + i % 1103);
	return data;
}

#endif
