/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_READER_H
#define CAIRN_BLOBFS_TOOLS_SERVE_READER_H

#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "blobfs/tools/serve.h"
#include "blobfs/tools/serve_names.h"
#include "blobfs/tools/serve_numbers.h"

/* What both views of an image share: reading verified blobs, and saying what is wrong. */

#define SERVE_FOR_EVER 86400.0 /* seconds; a blob never changes */
#define SERVE_OPENED   1024u

/* A blob that was opened, kept under the number that the kernel knows it by. */
struct serve_opened {
	fuse_ino_t ino; /* 0: none */
	struct blobfs_blob blob;
};

struct serve {
	struct blobfs_image *image;
	struct fuse_session *session;
	unsigned n_threads;
	atomic_int readahead;         /* descriptor to write its length to; or -1 */
	bool to_stderr;               /* the log */
	bool no_open;                 /* the kernel need not ask before it reads */
	struct serve_numbers numbers; /* of the blobs; */
	struct serve_names *names;    /* or of the tree's files, if there is one */
	pthread_mutex_t lock;         /* of what follows */
	struct serve_opened opened[SERVE_OPENED];
};

/* The operations of the two views; userdata is the struct serve. */
extern const struct fuse_lowlevel_ops serve_operations;
extern const struct fuse_lowlevel_ops serve_tree_operations;

/* A thread's own reader: the reader knows no locks. */
struct serve_reader {
	struct blobfs fs;
	struct blobfs_slot *slots;
	uint8_t data[SERVE_MAX_READ]; /* for the answer that is being made */
};

/* That of the calling thread, made with its first call; NULL if memory ran out. */
struct serve_reader *serve_reader(struct serve *s);

/* At the end of a thread. */
void serve_reader_free(void);

/* A line in the log: WHAT, and the error that was recorded last on this thread. */
void serve_log(const struct serve *s, const char *what);

/* The same about a blob; or an enum blobfs_error of R about it. */
void serve_log_blob(const struct serve *s, const uint8_t *digest, uint64_t offset);
void serve_log_bad(const struct serve *s, const uint8_t *digest, uint64_t offset,
	const struct serve_reader *r, int error);

/* The blob of a number, if it is kept; and keeps it. */
bool serve_opened_get(struct serve *s, fuse_ino_t ino, struct blobfs_blob *blob);
void serve_opened_put(struct serve *s, fuse_ino_t ino, const struct blobfs_blob *blob);

/* Replies with the bytes of BLOB, which are verified before. */
void serve_reply_blob(
	fuse_req_t req, const struct blobfs_blob *blob, size_t size, off_t offset);

/* Operations that both views have. */
void serve_init(void *userdata, struct fuse_conn_info *connection);
void serve_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void serve_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups);
void serve_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets);

#endif
