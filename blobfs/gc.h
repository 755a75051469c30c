/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_GC_H
#define CAIRN_BLOBFS_GC_H

#include "blobfs/store.h"

struct blobfs_gc {
	bool allow_empty; /* an image without refs loses all blobs */
	bool lowest;      /* give back the end, and put the index as low as can be */
	uint64_t n_kept;  /* set by blobfs_gc: blobs */
	uint64_t n_removed;
	uint64_t n_free; /* blocks that are free afterwards */
};

/*
 * Begins and commits a change that keeps the refs, the blobs they lead to, and where such
 * a blob is a tree (blobfs/names.h), the blobs it names; writes the index as one run, and
 * finds all free space again. A ref to a blob that is missing or damaged, or to an erofs
 * that cannot be walked, is refused: what it needs is not known then.
 */
int blobfs_gc(struct blobfs_gc *gc, struct blobfs_store *s);

#endif
