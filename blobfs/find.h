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
 * Pages of the index that were read and whose seal is right, each in the one slot that
 * its offset gives it. They are those of one state: with the next one, begin with zeros
 * again.
 */
#define BLOBFS_KEPT_PAGES 256

struct blobfs_pages {
	uint64_t labels[BLOBFS_KEPT_PAGES]; /* the page's offset + 1; 0: none yet */
	uint8_t blocks[BLOBFS_KEPT_PAGES][BLOBFS_BLOCK];
};

/*
 * As blobfs_find, for who looks many digests up: they are spread evenly, so their place
 * can be guessed, and two pages are read where bisection reads ten. Tells the place, too.
 * PAGES may be NULL.
 */
int blobfs_find_place(struct blobfs *fs, struct blobfs_pages *pages,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], struct blobfs_entry *entry,
	struct blobfs_place *place);

/* The entry at PLACE; an enum blobfs_error, BLOBFS_MISSING if there is none. */
int blobfs_entry_at(
	struct blobfs *fs, const struct blobfs_place *place, struct blobfs_entry *entry);

#endif
