/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_WALK_H
#define CAIRN_BLOBFS_WALK_H

#include "blobfs/find.h"

/*
 * Walks over several index runs, and entries in memory, as if they were one index: in the
 * order of digests, each once, the newest. Memory does not depend on the image.
 */
struct blobfs_walk {
	struct blobfs *fs;
	const char *name;
	const struct blobfs_entry *added; /* newer than any run; sorted by digest */
	size_t n_added;
	uint32_t n_runs;
	struct blobfs_cursor *cursors;
	struct blobfs_place place; /* of the entry that came last, if it is in a run */
};

/*
 * Walks over ADDED (may be empty) and the runs of FS from the newest, N_RUNS of them.
 * ADDED and FS must stay; FS->block is used.
 */
int blobfs_walk_start(struct blobfs_walk *w, struct blobfs *fs, const char *name,
	const struct blobfs_entry *added, size_t n_added, uint32_t n_runs);

/*
 * The next entry, tombstones included: 1, or 0 at the end. A damaged page is
 * STATUS_CONTENT, a run that is not sorted STATUS_FORMAT.
 */
int blobfs_walk_next(struct blobfs_walk *w, struct blobfs_entry *entry);

/*
 * Goes on from the first entry that does not sort before DIGEST; only directly after the
 * start, and only without entries in memory.
 */
int blobfs_walk_seek(struct blobfs_walk *w, const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/* May be called twice and on a zeroed struct. */
void blobfs_walk_stop(struct blobfs_walk *w);

/* Puts the parts of an entry into their place on the disk. */
void blobfs_put_entry(const struct blobfs_entry *entry, struct blobfs_disk_entry *disk);

#endif
