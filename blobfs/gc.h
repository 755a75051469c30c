/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_GC_H
#define CAIRN_BLOBFS_GC_H

#include "blobfs/store.h"

struct blobfs_gc {
	bool allow_empty; /* an image without refs loses all blobs */
	uint64_t n_kept;  /* set by blobfs_gc: blobs */
	uint64_t n_removed;
	uint64_t n_free; /* blocks that are free afterwards */
};

/*
 * Begins and commits a change that keeps the blobs refs lead to and the refs, writes the
 * index as one run, and finds all free space again. What a ref leads to is kept as it is;
 * an erofs image is a tree whose files are blobs, which is not known how to walk here:
 * then it is refused (STATUS_FORMAT) rather than torn apart.
 */
int blobfs_gc(struct blobfs_gc *gc, struct blobfs_store *s);

#endif
