/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_READER_H
#define CAIRN_BLOBFS_TOOLS_SERVE_READER_H

#include <fuse_lowlevel.h>

#include "blobfs/tools/serve.h"

/* What both views of an image share: reading verified blobs, and saying what is wrong. */

#define SERVE_SLOTS    64
#define SERVE_MAX_READ ((size_t)1 << 20)
#define SERVE_FOR_EVER 86400.0 /* seconds; a blob never changes */

/* A thread's own reader: the reader knows no locks. */
struct serve_reader {
	struct blobfs fs;
	struct blobfs_slot slots[SERVE_SLOTS];
	uint8_t data[SERVE_MAX_READ]; /* for the answer that is being made */
};

/* That of the calling thread, made with its first call; NULL if memory ran out. */
struct serve_reader *serve_reader(struct serve *s);

/* At the end of a thread. */
void serve_reader_free(void);

/* A line in the log: WHAT, and the error that was recorded last on this thread. */
void serve_log(const struct serve *s, const char *what);

/* The same for an enum blobfs_error of R about a blob. */
void serve_log_bad(const struct serve *s, const uint8_t *digest, uint64_t offset,
	const struct serve_reader *r, int error);

bool serve_is_for_writing(const struct fuse_file_info *fi);

/* Replies that the file is open; BLOB, from malloc, then belongs to it. */
void serve_open(fuse_req_t req, struct fuse_file_info *fi, struct blobfs_blob *blob);

/* Operations on such a file. */
void serve_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void serve_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi);

#endif
