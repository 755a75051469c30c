/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_LEAVES_H
#define CAIRN_BLOBFS_LEAVES_H

#include "blobfs/device.h"

/*
 * The fs-verity tree of a blob that goes by in pieces: the digests of its blocks come in,
 * the blocks of the tree go out as they get full, the digest of the blob is the result.
 * Memory is a block per level.
 */
struct blobfs_leaves {
	const struct block_hash *hash;
	uint64_t size; /* of the blob, known beforehand */
	uint32_t levels;
	uint64_t first[BLOBFS_MAX_LEVELS]; /* block of the tree where the level begins */
	uint64_t tree_blocks;
	uint64_t
		next[BLOBFS_MAX_LEVELS]; /* the block of the level that is being filled */
	size_t used[BLOBFS_MAX_LEVELS];  /* bytes in it */
	uint8_t block[BLOBFS_MAX_LEVELS][BLOBFS_BLOCK];
	uint8_t root[BLOBFS_DIGEST_SIZE];
	/* Takes a tree block, OFFSET bytes from the beginning of the tree. May be NULL.
	 */
	int (*emit)(void *context, uint64_t offset, const uint8_t *block);
	void *context;
};

void blobfs_leaves_start(
	struct blobfs_leaves *l, const struct block_hash *hash, uint64_t size);

/* The digests of the next N blocks. */
int blobfs_leaves_add(struct blobfs_leaves *l, const uint8_t *digests, size_t n);

/*
 * The rest, and the blob's digest. All of a tree of one level (the packed ones) is then
 * in the first USED bytes of block[0].
 */
int blobfs_leaves_finish(struct blobfs_leaves *l, uint8_t digest[BLOBFS_DIGEST_SIZE]);

#endif
