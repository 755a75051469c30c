/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_BLOBFS_TREE_H
#define CAIRN_BUILDER_BLOBFS_TREE_H

#include "blobfs/refs.h"
#include "builder/tree.h"

/*
 * Adds TREE to a blobfs that is ready for changes: the contents of its files in the order
 * of their names, and the image of the names (builder/composefs.h), whose digest stands
 * for all of it. JOBS: 0 for one thread per processor.
 */
int blobfs_tree_add(struct blobfs_store *s, const struct tree *tree, unsigned jobs,
	uint8_t digest[BLOBFS_DIGEST_SIZE]);

/*
 * A new blobfs image PATH with the tree in it, and the ref NAME for the tree. It appears
 * when it is complete; what exists is refused unless REPLACE.
 */
int blobfs_tree_save(const char *path, bool replace, const struct tree *tree,
	const char *name, unsigned jobs, uint8_t digest[BLOBFS_DIGEST_SIZE]);

#endif
