/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_H
#define CAIRN_BLOBFS_TOOLS_SERVE_H

#include <pthread.h>

#include "blobfs/image.h"
#include "blobfs/names.h"

/*
 * An image shown through FUSE: directories 00 to ff, in each the blobs whose digests
 * begin so, named by the rest. What the kernel may hold of a blob was verified before; a
 * blob that is bad gives EIO and a line in the log with its digest and the offset.
 */
struct serve_node {
	struct serve_node *next;   /* with the same hash */
	uint64_t n_lookups;        /* that the kernel did not forget */
	struct blobfs_entry entry; /* its size is verified */
};

struct serve {
	struct blobfs_image *image;
	const struct names *tree; /* for serve_tree_operations */
	unsigned n_threads;
	struct fuse_session *session;
	pthread_mutex_t lock; /* of the table and its nodes */
	struct serve_node **table;
	size_t table_size;
	size_t n_nodes;
	bool to_stderr; /* the log */
};

/* The operations; userdata is the struct serve. */
extern const struct fuse_lowlevel_ops serve_operations;

/*
 * The same image shown as one tree: its names, attributes and links as they were, its
 * contents from the blobs. A blob that the tree names and the image lacks is EIO.
 */
extern const struct fuse_lowlevel_ops serve_tree_operations;

int serve_start(struct serve *s, struct blobfs_image *image);

/*
 * Answers on N_THREADS threads until the file system is unmounted. The process gives up
 * all system calls that this does not need: it cannot open a file any more.
 */
int serve_run(struct serve *s);

/* Allows the calling process, all its threads, only what serving needs. */
int sandbox_enter(void);

#endif
