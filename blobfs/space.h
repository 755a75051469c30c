/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_SPACE_H
#define CAIRN_BLOBFS_SPACE_H

#include <stdbool.h>

#include "blobfs/device.h"

/* Which blocks of an image are free, and taking some. A zeroed struct is empty. */
struct blobfs_extent {
	uint64_t offset;
	uint64_t blocks;
	uint64_t generation; /* the first that does not use it; 0: no state ever did */
};

struct blobfs_space {
	struct blobfs_extent *extents; /* sorted by offset, apart from each other */
	size_t n_extents;
	size_t capacity;
	uint64_t end;      /* never used from here on */
	uint64_t limit;    /* that END must not pass */
	bool grows;        /* the limit may be passed: a file that gets larger */
	uint64_t building; /* the generation that is being written */
	bool reuse;        /* no reader may still look at what was freed */
	bool lowest;       /* take the first extent that fits, not the smallest */
	const char *name;  /* of the image, for messages; the caller's */
};

void blobfs_space_free(struct blobfs_space *s);

/* Makes neighbours that may be used now one extent. */
void blobfs_space_join(struct blobfs_space *s);

/*
 * Takes BLOCKS consecutive ones: of the smallest extent (or the first, if LOWEST) that is
 * large enough and may be used, else from the end. -ENOSPC, STATUS_FAILED if there is no
 * room.
 */
int blobfs_space_take(struct blobfs_space *s, uint64_t blocks, uint64_t *offset);

/* Gives blocks back, which GENERATION is the first not to use (0: written by nobody). */
int blobfs_space_give(
	struct blobfs_space *s, uint64_t offset, uint64_t blocks, uint64_t generation);

/* Lets what may be used and lies at the end not count any more. */
void blobfs_space_trim(struct blobfs_space *s);

/* Reads the free list of FS; what overlaps or lies outside is refused (STATUS_FORMAT). */
int blobfs_space_load(
	struct blobfs_space *s, const struct blobfs *fs, struct blobfs_device *d);

/* Pages that the list needs as it is now, or the most there may be. */
uint64_t blobfs_space_pages(const struct blobfs_space *s);

/*
 * Writes the list into PAGES pages at OFFSET; smallest extents are forgotten if there are
 * too many. *COUNT is the number of records, *USED that of the pages.
 */
int blobfs_space_save(struct blobfs_space *s, struct blobfs_device *d, uint64_t offset,
	uint64_t pages, uint64_t *count, uint64_t *used);

/* Writes the seal of a superblock or page. */
int blobfs_seal(uint8_t *block);

#endif
