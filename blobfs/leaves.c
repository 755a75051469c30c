/* SPDX-License-Identifier: MIT */
#include "blobfs/leaves.h"

#include <string.h>

void blobfs_leaves_start(
	struct blobfs_leaves *l, const struct block_hash *hash, uint64_t size)
{
	uint64_t count[BLOBFS_MAX_LEVELS];
	l->hash = hash;
	l->size = size;
	l->levels = 0;
	l->tree_blocks = 0;
	l->emit = NULL;
	memset(l->root, 0, sizeof l->root);
	for (uint64_t n = u64_div_up(size, BLOBFS_BLOCK); n > 1; l->levels++) {
		n = u64_div_up(n, BLOBFS_FANOUT);
		count[l->levels] = n;
		l->next[l->levels] = 0;
		l->used[l->levels] = 0;
	}
	for (uint32_t i = l->levels; i-- > 0;) {
		l->first[i] = l->tree_blocks;
		l->tree_blocks += count[i];
	}
}

/* Level LEVEL's block is full, or the last one: hashes it and hands it out. */
static int close_block(struct blobfs_leaves *l, uint32_t level, uint8_t *digest)
{
	uint8_t *block = l->block[level];
	memset(block + l->used[level], 0, BLOBFS_BLOCK - l->used[level]);
	int r = block_hash_run(l->hash, block, 1, digest, BLOBFS_DIGEST_SIZE);
	uint64_t at = l->first[level] + l->next[level]++;
	if (r == 0 && l->emit)
		r = l->emit(l->context, at * BLOBFS_BLOCK, block);
	return r;
}

/* One digest to LEVEL; blocks that get full are closed, and their digests go up. */
static int add_digest(struct blobfs_leaves *l, uint32_t level, const uint8_t *digest)
{
	uint8_t up[BLOBFS_DIGEST_SIZE];
	for (; level < l->levels; level++) {
		memcpy(l->block[level] + l->used[level], digest, BLOBFS_DIGEST_SIZE);
		l->used[level] += BLOBFS_DIGEST_SIZE;
		if (l->used[level] < BLOBFS_BLOCK || level + 1 == l->levels)
			return 0;
		int r = close_block(l, level, up);
		if (r < 0)
			return r;
		l->used[level] = 0;
		digest = up;
	}
	/* A single block has no tree. */
	memcpy(l->root, digest, BLOBFS_DIGEST_SIZE);
	return 0;
}

int blobfs_leaves_add(struct blobfs_leaves *l, const uint8_t *digests, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_digest(l, 0, digests + i * BLOBFS_DIGEST_SIZE);
	return r;
}

static int descriptor_digest(const struct blobfs_leaves *l, uint8_t *digest)
{
	struct blobfs_descriptor d = {.version = 1,
		.hash_algorithm = BLOBFS_HASH_SHA256,
		.block_log2 = BLOBFS_BLOCK_LOG2};
	put_le64(d.size, l->size);
	memcpy(d.root, l->root, sizeof l->root);
	struct span s = span_of(&d, sizeof d);
	return hash_parts(HASH_SHA256, &s, 1, digest);
}

int blobfs_leaves_finish(struct blobfs_leaves *l, uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	uint8_t up[BLOBFS_DIGEST_SIZE];
	for (uint32_t level = 0; level < l->levels; level++) {
		if (l->used[level] == 0)
			continue;
		int r = close_block(l, level, up);
		if (r < 0)
			return r;
		/* The top is never full before; its digest is the root. */
		if (level + 1 == l->levels)
			memcpy(l->root, up, sizeof l->root);
		else if ((r = add_digest(l, level + 1, up)) < 0)
			return r;
	}
	return descriptor_digest(l, digest);
}
