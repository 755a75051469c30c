/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_READER_PARTS_H
#define CAIRN_BLOBFS_READER_PARTS_H

/* What the parts of the reader share; nobody else includes this. */

#include <stdbool.h>

#include "blobfs/bytes.h"
#include "blobfs/reader.h"
#include "core/span.h"

#define MASK (BLOBFS_BLOCK - 1)

static inline bool is_digest(const uint8_t *a, const uint8_t *b)
{
	return compare(a, b, BLOBFS_DIGEST_SIZE) == 0;
}

static inline int fail(struct blobfs *fs, uint64_t offset, int error)
{
	fs->bad_offset = offset;
	return error;
}

/* Whether [OFFSET, OFFSET + SIZE) is within the device. */
static inline bool is_inside(const struct blobfs *fs, uint64_t offset, uint64_t size)
{
	return offset <= fs->platform.size && size <= fs->platform.size - offset;
}

/* Whether SIZE bytes at OFFSET are within the device and one block. */
static inline bool is_packed(const struct blobfs *fs, uint64_t offset, uint64_t size)
{
	return (offset & MASK) + size <= BLOBFS_BLOCK && is_inside(fs, offset, size);
}

static inline uint64_t count_leaves(uint64_t size)
{
	return (size >> BLOBFS_BLOCK_LOG2) + ((size & MASK) != 0);
}

/* Reads SIZE bytes of the device, which they must be within. */
int blobfs_read_device(struct blobfs *fs, uint64_t offset, uint8_t *data, size_t size);

/* The platform's hash: BLOBFS_IO if it fails. */
int blobfs_hash(struct blobfs *fs, const uint8_t *data, size_t size, size_t count,
	uint8_t *digests);

/* Finds out where the levels of BLOB's tree are; BLOBFS_MALFORMED if they cannot be. */
int blobfs_place_tree(const struct blobfs *fs, struct blobfs_blob *blob);

/* Reads a tree block, unverified, zero-padded. */
int blobfs_read_tree_block(struct blobfs *fs, const struct blobfs_blob *blob,
	uint32_t level, uint64_t index, uint8_t *block);

/* Finds the verified block of level 0 that has the hash of data block INDEX. */
int blobfs_find_leaves(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	const struct blobfs_slot **leaves);

#endif
