/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_STORE_TREE_H
#define CAIRN_BUILDER_STORE_TREE_H

#include "blobfs/objects.h"
#include "builder/tree.h"
#include "core/erofs_image.h"

/*
 * Whole trees in a store of blobs: the contents of each file, and the names as an image
 * (builder/composefs.h), whose digest then stands for all of the tree.
 */

/* Adds TREE on JOBS threads (0: one per processor) and gives its digest. */
int store_tree_add(const struct objects *o, const struct tree *tree, unsigned jobs,
	uint8_t digest[OBJECTS_DIGEST], uint64_t *n_added, uint64_t *n_known);

/* The image of a tree's names (blobfs/names.h), checked, in memory. */
struct store_tree {
	struct file image;
	struct erofs erofs;
};

#define STORE_TREE_CLOSED ((struct store_tree){.image = FILE_CLOSED})

/*
 * Returns 0; 1 if the blob is good but no image of a tree; or an error: -EBADMSG,
 * STATUS_CONTENT, if it is not what its name says.
 */
int store_tree_open(struct store_tree *t, const struct objects *o, const uint8_t *digest);
void store_tree_close(struct store_tree *t);

/* How checkout treats what only root may do. */
enum store_checkout {
	STORE_CHECKOUT_ALL,
	/* Without owners, devices, and trusted.* and security.* attributes. */
	STORE_CHECKOUT_UNPRIVILEGED,
};

/*
 * Restores the tree DIGEST as the directory DIR, which must not exist and appears when it
 * is complete. Every blob is checked as it is copied; one that the store lacks is -EIO,
 * STATUS_CONTENT. No path is followed that was not opened here.
 */
int store_checkout(const struct objects *o, const uint8_t *digest, const char *dir,
	enum store_checkout how);

#endif
