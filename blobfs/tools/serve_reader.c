/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include "blobfs/tools/serve_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static _Thread_local struct serve_reader *mine;

struct serve_reader *serve_reader(struct serve *s)
{
	if (mine)
		return mine;
	struct serve_reader *r = malloc(sizeof *r);
	struct blobfs_platform platform = blobfs_device_platform(&s->image->device);
	if (!r)
		return NULL;
	/* The state stays the one that was locked, whatever is written meanwhile. */
	r->fs = s->image->store.fs;
	r->fs.platform = platform;
	r->fs.slots = r->slots;
	r->fs.n_slots = SERVE_SLOTS;
	for (unsigned i = 0; i < SERVE_SLOTS; i++)
		r->slots[i].valid = 0;
	mine = r;
	return r;
}

void serve_reader_free(void)
{
	free(mine);
	mine = NULL;
}

void serve_log(const struct serve *s, const char *what)
{
	if (s->to_stderr)
		fprintf(stderr, "mount.blobfs: %s: %s\n", what, error_text());
	else
		syslog(LOG_ERR, "%s: %s", what, error_text());
}

void serve_log_bad(const struct serve *s, const uint8_t *digest, uint64_t offset,
	const struct serve_reader *r, int error)
{
	char text[BLOBFS_DIGEST_TEXT], what[BLOBFS_DIGEST_TEXT + 40];
	snprintf(what, sizeof what, "%s: offset %ju", blobfs_digest_text(digest, text),
		(uintmax_t)offset);
	blobfs_failed(&r->fs, s->image->file.name, error);
	serve_log(s, what);
}

bool serve_is_for_writing(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

void serve_open(fuse_req_t req, struct fuse_file_info *fi, struct blobfs_blob *blob)
{
	fi->fh = (uint64_t)(uintptr_t)blob;
	fi->keep_cache = 1;
	if (fuse_reply_open(req, fi) < 0)
		free(blob);
}

void serve_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	free((void *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

void serve_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	(void)ino;
	struct serve *s = fuse_req_userdata(req);
	const struct blobfs_blob *blob = (const void *)(uintptr_t)fi->fh;
	struct serve_reader *reader = serve_reader(s);
	size_t n = 0;
	if (size > SERVE_MAX_READ)
		size = SERVE_MAX_READ;
	int r = reader ? blobfs_read(&reader->fs, blob, (uint64_t)offset, reader->data,
				 size, &n)
		       : BLOBFS_IO;
	if (r == 0) {
		fuse_reply_buf(req, (const char *)reader->data, n);
		return;
	}
	if (reader)
		serve_log_bad(s, blob->entry.digest, (uint64_t)offset + n, reader, r);
	fuse_reply_err(req, EIO);
}
