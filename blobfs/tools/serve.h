/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_H
#define CAIRN_BLOBFS_TOOLS_SERVE_H

#include "blobfs/image.h"

/*
 * An image shown through FUSE: directories 00 to ff, in each the blobs whose digests
 * begin so, named by the rest; or the tree of one digest. What the kernel may hold of a
 * blob was verified before; a blob that is bad gives EIO and a line in the log with its
 * digest and the offset. Memory does not depend on the number of blobs or names: an inode
 * number says where in the image the blob or name is, and caches are of fixed size.
 */
struct serve;

/* How much may be kept, whatever the number of threads: some 12 MB in all. */
#define SERVE_MAX_THREADS 6
#define SERVE_SLOTS       1024 /* of verified tree blocks, for all threads together */
#define SERVE_MAX_READ    ((size_t)512 << 10) /* a thread's buffer */

struct serve_options {
	struct blobfs_image *image;
	const uint8_t *tree; /* a digest, or NULL: all blobs */
	bool to_stderr;      /* the log */
};

/*
 * Makes ready what serves IMAGE, which must stay open. A tree is read and verified once
 * as a whole: STATUS_FORMAT if it is none. The result belongs to the caller.
 */
int serve_new(struct serve **sp, const struct serve_options *options);

/* Mounts it on DIR with the given mount options. */
int serve_mount(struct serve *s, const char *options, const char *dir);

/* Unmounts, also while another process serves. */
void serve_unmount(struct serve *s);

/*
 * Answers on several threads until the file system is unmounted. The process gives up
 * all system calls that this does not need: it cannot open a file any more.
 */
int serve_run(struct serve *s);

/* After the end of all that serves. May be NULL. */
void serve_free(struct serve *s);

/* Allows the calling process, all its threads, only what serving needs. */
int sandbox_enter(void);

#endif
