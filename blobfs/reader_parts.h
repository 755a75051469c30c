/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_READER_PARTS_H
#define CAIRN_BLOBFS_READER_PARTS_H

/* What the two halves of the reader share; nobody else includes this. */

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

/* Reads SIZE bytes of the device, which they must be within. */
int blobfs_read_device(struct blobfs *fs, uint64_t offset, uint8_t *data, size_t size);

/* The platform's hash: BLOBFS_IO if it fails. */
int blobfs_hash(struct blobfs *fs, const uint8_t *data, size_t size, size_t count,
	uint8_t *digests);

#endif
