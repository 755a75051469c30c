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

/* The same, and OFFSET is a block's start. */
static inline bool is_aligned(const struct blobfs *fs, uint64_t offset, uint64_t size)
{
	return (offset & MASK) == 0 && is_inside(fs, offset, size);
}

/* Whether SIZE bytes at OFFSET are within the device and one block. */
static inline bool is_packed(const struct blobfs *fs, uint64_t offset, uint64_t size)
{
	return (offset & MASK) + size <= BLOBFS_BLOCK && is_inside(fs, offset, size);
}

/* Reads SIZE bytes of the device, which they must be within. */
int blobfs_read_device(struct blobfs *fs, uint64_t offset, uint8_t *data, size_t size);

/* The platform's hash: BLOBFS_IO if it fails. */
int blobfs_hash(struct blobfs *fs, const uint8_t *data, size_t size, size_t count,
	uint8_t *digests);

/* BLOBFS_DAMAGED unless the SIZE bytes, which were at OFFSET, have the hash EXPECTED. */
int blobfs_check_hash(struct blobfs *fs, const uint8_t *data, size_t size,
	const uint8_t *expected, uint64_t offset);

/*
 * The blocks of a blob are those of its data (level 0) and of its tree (from 1 on).
 * Finds out where each level is; BLOBFS_MALFORMED if it cannot be there.
 */
int blobfs_place(const struct blobfs *fs, struct blobfs_blob *blob);

/* Where block INDEX of LEVEL is, and how many of its bytes there are. */
uint64_t blobfs_block_offset(
	const struct blobfs_blob *blob, uint32_t level, uint64_t index, size_t *size);

/* Reads COUNT blocks, of which only a single one may be partial; unverified, padded. */
int blobfs_read_blocks(struct blobfs *fs, const struct blobfs_blob *blob, uint32_t level,
	uint64_t index, uint8_t *data, size_t count);

/*
 * Finds the verified hash of data block INDEX: *HASHES, which those of the next blocks
 * follow, as far as they are in the same tree block. Stays until the next call.
 */
int blobfs_find_hashes(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	const uint8_t **hashes);

#endif
