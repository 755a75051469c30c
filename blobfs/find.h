/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_FIND_H
#define CAIRN_BLOBFS_FIND_H

#include "blobfs/device.h"

/* Where an entry is in the index. */
struct blobfs_place {
	uint32_t run;
	uint32_t at; /* within the page */
	uint64_t page;
};

/*
 * As blobfs_find, for who looks many digests up: they are spread evenly, so their place
 * can be guessed, and two pages are read where bisection reads ten. Tells the place, too.
 */
int blobfs_find_place(struct blobfs *fs, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	struct blobfs_entry *entry, struct blobfs_place *place);

/* The entry at PLACE; an enum blobfs_error, BLOBFS_MISSING if there is none. */
int blobfs_entry_at(
	struct blobfs *fs, const struct blobfs_place *place, struct blobfs_entry *entry);

#endif
