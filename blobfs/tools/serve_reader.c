/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include "blobfs/tools/serve_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

/* ---- a thread's reader ------------------------------------------------------------- */

static _Thread_local struct serve_reader *mine;

struct serve_reader *serve_reader(struct serve *s)
{
	if (mine)
		return mine;
	uint32_t n_slots = SERVE_SLOTS / s->n_threads;
	struct serve_reader *r = malloc(sizeof *r);
	struct blobfs_slot *slots = malloc(n_slots * sizeof *slots);
	if (!r || !slots) {
		free(r);
		free(slots);
		return NULL;
	}
	/* The state stays the one that was locked, whatever is written meanwhile. */
	r->fs = s->image->store.fs;
	r->fs.platform = blobfs_device_platform(&s->image->device);
	r->slots = slots;
	r->fs.slots = slots;
	r->fs.n_slots = n_slots;
	for (uint32_t i = 0; i < n_slots; i++)
		slots[i].valid = 0;
	mine = r;
	return r;
}

void serve_reader_free(void)
{
	if (mine)
		free(mine->slots);
	free(mine);
	mine = NULL;
}

/* ---- the log ----------------------------------------------------------------------- */

void serve_log(const struct serve *s, const char *what)
{
	if (s->to_stderr)
		fprintf(stderr, "mount.blobfs: %s: %s\n", what, error_text());
	else
		syslog(LOG_ERR, "%s: %s", what, error_text());
}

void serve_log_blob(const struct serve *s, const uint8_t *digest, uint64_t offset)
{
	char text[BLOBFS_DIGEST_TEXT], what[BLOBFS_DIGEST_TEXT + 40];
	snprintf(what, sizeof what, "%s: offset %ju", blobfs_digest_text(digest, text),
		(uintmax_t)offset);
	serve_log(s, what);
}

void serve_log_bad(const struct serve *s, const uint8_t *digest, uint64_t offset,
	const struct serve_reader *r, int error)
{
	blobfs_failed(&r->fs, s->image->file.name, error);
	serve_log_blob(s, digest, offset);
}

/* ---- blobs ------------------------------------------------------------------------- */

static struct serve_opened *opened_place(struct serve *s, fuse_ino_t ino)
{
	uint64_t mixed = ino * UINT64_C(0x9E3779B97F4A7C15);
	return &s->opened[(mixed >> 32) % SERVE_OPENED];
}

bool serve_opened_get(struct serve *s, fuse_ino_t ino, struct blobfs_blob *blob)
{
	struct serve_opened *o = opened_place(s, ino);
	pthread_mutex_lock(&s->lock);
	bool found = o->ino == ino;
	if (found)
		*blob = o->blob;
	pthread_mutex_unlock(&s->lock);
	return found;
}

void serve_opened_put(struct serve *s, fuse_ino_t ino, const struct blobfs_blob *blob)
{
	struct serve_opened *o = opened_place(s, ino);
	pthread_mutex_lock(&s->lock);
	o->ino = ino;
	o->blob = *blob;
	pthread_mutex_unlock(&s->lock);
}

void serve_reply_blob(
	fuse_req_t req, const struct blobfs_blob *blob, size_t size, off_t offset)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	size_t n = 0;
	if (size > SERVE_MAX_READ)
		size = SERVE_MAX_READ;
	if (!reader) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	int r = blobfs_read(&reader->fs, blob, (uint64_t)offset, reader->data, size, &n);
	if (r == 0) {
		fuse_reply_buf(req, (const char *)reader->data, n);
		return;
	}
	serve_log_bad(s, blob->entry.digest, (uint64_t)offset + n, reader, r);
	fuse_reply_err(req, EIO);
}

/* ---- operations -------------------------------------------------------------------- */

void serve_init(void *userdata, struct fuse_conn_info *connection)
{
	struct serve *s = userdata;
	connection->max_readahead = SERVE_MAX_READ;
	/* libfuse takes the size of the largest answer from that of the largest write. */
	connection->max_write = SERVE_MAX_READ;
	s->no_open = connection->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	/* The kernel decides by a tree's access control lists, too. */
	if (s->names)
		connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
}

/*
 * Nothing is kept of an open file, so the kernel need not ask: it does not after the
 * first time, and opening a file again costs what it does on a disk.
 */
void serve_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	(void)ino;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
	} else if (s->no_open) {
		fuse_reply_err(req, ENOSYS);
	} else {
		fi->keep_cache = 1;
		fi->cache_readdir = 1;
		fuse_reply_open(req, fi);
	}
}

void serve_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups)
{
	(void)ino;
	(void)n_lookups;
	fuse_reply_none(req);
}

void serve_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	(void)n;
	(void)forgets;
	fuse_reply_none(req);
}
