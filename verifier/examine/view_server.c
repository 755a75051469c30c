/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/block_hash.h"
#include "core/confine.h"
#include "verifier/examine/view.h"

#define MAX_IO      ((size_t)1 << 20)
#define FOR_EVER    86400.0
#define N_THREADS   2
#define BUFFER_SIZE (MAX_IO + 2 * PASS_BLOCK_MAX)

/* Memory of one thread. */
static _Thread_local uint8_t *data;    /* BUFFER_SIZE bytes: whole blocks */
static _Thread_local uint8_t *digests; /* of these blocks */
static _Thread_local uint8_t *reply;   /* MAX_IO bytes */

/* Shared by all threads. */
static struct block_hash hash;

/* ---- reading what was verified -------------------------------------------------------
 */

/* Whether block NUMBER has this DIGEST; what is unknown becomes known, where allowed. */
static bool is_as_before(struct view_server *s, uint64_t number, const uint8_t *digest)
{
	static const uint8_t unknown[PASS_DIGEST];
	uint8_t *leaf = s->source.leaves->data + number * PASS_DIGEST;
	if (!s->source.first_read)
		return memcmp(leaf, digest, PASS_DIGEST) == 0;
	pthread_mutex_lock(&s->lock);
	if (memcmp(leaf, unknown, PASS_DIGEST) == 0)
		memcpy(leaf, digest, PASS_DIGEST);
	bool same = memcmp(leaf, digest, PASS_DIGEST) == 0;
	pthread_mutex_unlock(&s->lock);
	return same;
}

static bool check_blocks(struct view_server *s, uint64_t first, size_t n)
{
	if (block_hash_run(&hash, data, n, digests, PASS_DIGEST) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (is_as_before(s, first + i, digests + i * PASS_DIGEST))
			continue;
		if (atomic_fetch_add(&s->counts->bad, 1) == 0)
			atomic_store(&s->counts->bad_block, first + i);
		return false;
	}
	return true;
}

/* SIZE bytes (at most MAX_IO) of the source from OFFSET of it, or false. */
static bool read_source(struct view_server *s, uint64_t offset, size_t size, uint8_t *out)
{
	const struct view_source *v = &s->source;
	uint64_t at = v->offset + offset, first = at / v->block_size;
	size_t n = (size_t)(u64_div_up(at + size, v->block_size) - first), got;
	uint64_t start = first * v->block_size;
	if (size == 0)
		return true;
	if (file_read_some(v->file, data, n * v->block_size, start, &got) < 0) {
		atomic_fetch_add(&s->counts->failed, 1);
		return false;
	}
	/* The last block of the file counts as filled up with zeros. */
	memset(data + got, 0, n * v->block_size - got);
	if (!check_blocks(s, first, n))
		return false;
	memcpy(out, data + (at - start), size);
	atomic_fetch_add(&s->counts->verified, size);
	return true;
}

/* ---- what was written, kept apart ----------------------------------------------------
 */

/* Blocks of the overlay are of PASS_BLOCK_MIN bytes, counted from the view's start. */
static bool read_block(struct view_server *s, uint64_t block, uint8_t *out, size_t size)
{
	uint64_t offset = block * PASS_BLOCK_MIN;
	if (!s->written[block])
		return read_source(s, offset, size, out);
	return pread(s->overlay, out, size, (off_t)offset) == (ssize_t)size;
}

static size_t block_bytes(const struct view_server *s, uint64_t block)
{
	uint64_t left = s->source.size - block * PASS_BLOCK_MIN;
	return left < PASS_BLOCK_MIN ? (size_t)left : PASS_BLOCK_MIN;
}

/* Reads or writes across blocks, with the lock held. */
static bool cross_blocks(
	struct view_server *s, uint64_t offset, size_t size, uint8_t *out, const char *in)
{
	uint8_t block[PASS_BLOCK_MIN];
	for (size_t done = 0; done < size;) {
		uint64_t number = (offset + done) / PASS_BLOCK_MIN;
		size_t skip = (size_t)((offset + done) % PASS_BLOCK_MIN);
		size_t whole = block_bytes(s, number), n = whole - skip;
		if (n > size - done)
			n = size - done;
		if (!(in && n == whole) && !read_block(s, number, block, whole))
			return false;
		if (out)
			memcpy(out + done, block + skip, n);
		if (in) {
			memcpy(block + skip, in + done, n);
			if (pwrite(s->overlay, block, whole,
				    (off_t)(number * PASS_BLOCK_MIN)) != (ssize_t)whole)
				return false;
			s->written[number] = 1;
		}
		done += n;
	}
	return true;
}

/* ---- operations ----------------------------------------------------------------------
 */

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_readahead = MAX_IO;
	connection->max_write = MAX_IO;
	connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct view_server *s = fuse_req_userdata(req);
	struct stat st = {.st_ino = ino,
		.st_mode = S_IFREG | (s->source.writable ? 0600 : 0400),
		.st_nlink = 1,
		.st_size = (off_t)s->source.size,
		.st_blksize = PASS_BLOCK_MIN,
		.st_blocks = (blkcnt_t)u64_div_up(s->source.size, 512)};
	(void)fi;
	fuse_reply_attr(req, &st, FOR_EVER);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attributes,
	int to_set, struct fuse_file_info *fi)
{
	(void)attributes;
	(void)to_set;
	op_getattr(req, ino, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct view_server *s = fuse_req_userdata(req);
	(void)ino;
	if ((fi->flags & O_ACCMODE) != O_RDONLY && !s->source.writable) {
		fuse_reply_err(req, EROFS);
		return;
	}
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct view_server *s = fuse_req_userdata(req);
	uint64_t at = (uint64_t)offset, end = s->source.size;
	bool good;
	(void)ino;
	(void)fi;
	if (size > MAX_IO)
		size = MAX_IO;
	if (at >= end)
		size = 0;
	else if (size > end - at)
		size = (size_t)(end - at);
	if (s->overlay < 0) {
		good = read_source(s, at, size, reply);
	} else {
		pthread_mutex_lock(&s->lock);
		good = cross_blocks(s, at, size, reply, NULL);
		pthread_mutex_unlock(&s->lock);
	}
	if (good)
		fuse_reply_buf(req, (const char *)reply, size);
	else
		fuse_reply_err(req, EIO);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *in, size_t size,
	off_t offset, struct fuse_file_info *fi)
{
	struct view_server *s = fuse_req_userdata(req);
	uint64_t at = (uint64_t)offset;
	(void)ino;
	(void)fi;
	if (s->overlay < 0) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (at > s->source.size || size > s->source.size - at) {
		fuse_reply_err(req, ENOSPC);
		return;
	}
	pthread_mutex_lock(&s->lock);
	bool good = cross_blocks(s, at, size, NULL, in);
	pthread_mutex_unlock(&s->lock);
	if (!good) {
		fuse_reply_err(req, EIO);
		return;
	}
	atomic_fetch_add(&s->counts->written, size);
	fuse_reply_write(req, size);
}

static void op_fsync(
	fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	(void)ino;
	(void)data_only;
	(void)fi;
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

/* ---- threads -------------------------------------------------------------------------
 */

static void *answer(void *argument)
{
	struct fuse_session *session = argument;
	struct fuse_buf buffer = {0};
	data = malloc(BUFFER_SIZE);
	digests = malloc(BUFFER_SIZE / PASS_BLOCK_MIN * PASS_DIGEST);
	reply = malloc(MAX_IO);
	while (data && digests && reply && !fuse_session_exited(session)) {
		int n = fuse_session_receive_buf(session, &buffer);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(session, &buffer);
	}
	free(buffer.mem);
	free(reply);
	free(digests);
	free(data);
	return NULL;
}

int view_server_run(struct view_server *s)
{
	char *argv[] = {(char *)"cairn", NULL}, path[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	pthread_t threads[N_THREADS];
	pthread_mutex_init(&s->lock, NULL);
	if (block_hash_init(&hash, HASH_SHA256, s->source.block_size, span_of(NULL, 0),
		    span_of(NULL, 0)) < 0)
		return 1;
	struct fuse_session *session =
		fuse_session_new(&args, &operations, sizeof operations, s);
	snprintf(path, sizeof path, "/dev/fd/%d", s->device);
	if (!session || fuse_session_mount(session, path) != 0)
		return 1;
	/* It needs what is open, and nothing else of the system. */
	if (confine() < 0)
		return 1;
	for (unsigned i = 0; i < N_THREADS; i++)
		if (pthread_create(&threads[i], NULL, answer, session))
			return 1;
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
