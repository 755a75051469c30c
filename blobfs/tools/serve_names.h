/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_NAMES_H
#define CAIRN_BLOBFS_TOOLS_SERVE_NAMES_H

#include <pthread.h>

#include "blobfs/names.h"

struct serve;

/*
 * The names of the tree that is shown. Its blob is read block by block as it is needed,
 * each block verified, and the last ones are kept.
 */
#define SERVE_BLOCKS 512u

struct serve_block {
	uint64_t number; /* of the block, counted from 1; 0: nothing is here */
	uint8_t data[BLOBFS_BLOCK];
};

struct serve_names {
	struct erofs erofs;
	struct file name; /* closed: only what the image is called */
	struct blobfs_blob blob;
	pthread_mutex_t lock; /* of the blocks */
	struct serve_block blocks[SERVE_BLOCKS];
};

/* Opens the tree DIGEST for S->names, having verified all of it once. */
int serve_names_open(struct serve *s, const uint8_t digest[BLOBFS_DIGEST_SIZE]);

void serve_names_free(struct serve_names *n);

#endif
