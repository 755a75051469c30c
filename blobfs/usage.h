/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_USAGE_H
#define CAIRN_BLOBFS_USAGE_H

#include <stdbool.h>

#include "blobfs/device.h"

/* Which blocks of an image are in use, and how: two bits per block. Zeroed is empty. */
enum blobfs_use {
	BLOBFS_UNUSED,
	BLOBFS_SHARED, /* packed parts: any number of blobs */
	BLOBFS_WHOLE,  /* by exactly one thing */
	BLOBFS_FREE,   /* in the free list */
};

struct blobfs_usage {
	uint8_t *map;
	uint64_t n_blocks;
};

int blobfs_usage_start(struct blobfs_usage *u, uint64_t n_blocks);
void blobfs_usage_free(struct blobfs_usage *u);
enum blobfs_use blobfs_usage_get(const struct blobfs_usage *u, uint64_t block);

/*
 * Marks the blocks of SIZE bytes at OFFSET. Returns whether that is as it should be: none
 * was in use, unless all marks are BLOBFS_SHARED, and all are within the map.
 */
bool blobfs_usage_mark(
	struct blobfs_usage *u, uint64_t offset, uint64_t size, enum blobfs_use use);

/* Marks all parts of a blob whose entry was found to be placed within the device. */
bool blobfs_usage_mark_entry(struct blobfs_usage *u, const struct blobfs_entry *entry);

#endif
