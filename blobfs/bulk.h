/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_BULK_H
#define CAIRN_BLOBFS_BULK_H

#include "blobfs/device.h"

/*
 * Many small blobs verified together: what lies near each other is read at once, and
 * blocks, trees and descriptors are hashed several at a time, whoever's they are. It only
 * tells which blobs are good; the reader tells what is wrong with the others.
 */
#define BLOBFS_BULK_SIZE   ((uint64_t)1 << 20) /* bytes of the device read at once */
#define BLOBFS_BULK_BLOBS  64
#define BLOBFS_BULK_BLOCKS BLOBFS_FANOUT /* of a blob: its tree has one block at most */

/* The memory and the hash of one thread; some 2 MiB. */
struct blobfs_bulk;

/* B belongs to the caller. */
int blobfs_bulk_new(struct blobfs_bulk **bp, struct blobfs_device *device);

/* May be NULL. */
void blobfs_bulk_free(struct blobfs_bulk *b);

/* BLOBFS_BULK_SIZE bytes that the caller may use between two calls. */
uint8_t *blobfs_bulk_memory(struct blobfs_bulk *b);

/* Where most of a blob's bytes are: SIZE bytes at the result. */
uint64_t blobfs_bulk_place(const struct blobfs_entry *entry, uint64_t *size);

/*
 * Verifies N (at most BLOBFS_BULK_BLOBS) blobs of at most BLOBFS_BULK_BLOCKS blocks each,
 * with FS's bounds. GOOD[i]: all bytes, the size and the tree are what the digest says.
 * Those whose places are not within BLOBFS_BULK_SIZE of the first one's are not good.
 */
void blobfs_bulk_verify(struct blobfs_bulk *b, const struct blobfs *fs,
	const struct blobfs_entry *const *entries, size_t n, bool *good);

#endif
