/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blobfs/tools/serve_reader.h"
#include "blobfs/walk.h"
#include "core/hex.h"

#define FIRST_DIR ((fuse_ino_t)2)
#define N_DIRS    256
#define NAME_SIZE (2 * (BLOBFS_DIGEST_SIZE - 1))

/* ---- nodes: what the kernel knows ---------------------------------------------------
 */

static struct serve_node *node_of(fuse_ino_t ino)
{
	return (struct serve_node *)(uintptr_t)ino;
}

static bool is_dir(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID || (ino >= FIRST_DIR && ino < FIRST_DIR + N_DIRS);
}

static struct serve_node **place(const struct serve *s, const uint8_t *digest)
{
	return &s->table[get_le64(digest) & (s->table_size - 1)];
}

static int grow_table(struct serve *s)
{
	size_t size = s->table_size ? 2 * s->table_size : 4096;
	struct serve_node **old = s->table, **table = calloc(size, sizeof *table);
	size_t old_size = s->table_size;
	if (!table)
		return -ENOMEM;
	s->table = table;
	s->table_size = size;
	for (size_t i = 0; i < old_size; i++)
		for (struct serve_node *n = old[i], *next; n; n = next) {
			struct serve_node **p = place(s, n->entry.digest);
			next = n->next;
			n->next = *p;
			*p = n;
		}
	free(old);
	return 0;
}

/* The node of a blob, known once more to the kernel; NULL if memory ran out. */
static struct serve_node *take_node(struct serve *s, const struct blobfs_entry *entry)
{
	struct serve_node *n = NULL;
	pthread_mutex_lock(&s->lock);
	if (s->n_nodes >= s->table_size && grow_table(s) < 0)
		goto out;
	for (n = *place(s, entry->digest); n; n = n->next)
		if (!memcmp(n->entry.digest, entry->digest, BLOBFS_DIGEST_SIZE))
			break;
	if (!n && (n = calloc(1, sizeof *n))) {
		struct serve_node **p = place(s, entry->digest);
		n->entry = *entry;
		n->next = *p;
		*p = n;
		s->n_nodes++;
	}
	if (n)
		n->n_lookups++;
out:
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void forget_node(struct serve *s, fuse_ino_t ino, uint64_t n_lookups)
{
	if (is_dir(ino))
		return;
	pthread_mutex_lock(&s->lock);
	struct serve_node *n = node_of(ino);
	n->n_lookups -= n_lookups;
	if (n->n_lookups == 0) {
		struct serve_node **p = place(s, n->entry.digest);
		while (*p != n)
			p = &(*p)->next;
		*p = n->next;
		s->n_nodes--;
		free(n);
	}
	pthread_mutex_unlock(&s->lock);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups)
{
	forget_node(fuse_req_userdata(req), ino, n_lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(
	fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_node(fuse_req_userdata(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- names and attributes -----------------------------------------------------------
 */

static struct stat attributes(fuse_ino_t ino)
{
	struct stat st = {.st_ino = ino, .st_blksize = BLOBFS_BLOCK};
	if (is_dir(ino)) {
		st.st_mode = S_IFDIR | 0555;
		st.st_nlink = ino == FUSE_ROOT_ID ? N_DIRS + 2 : 2;
		return st;
	}
	uint64_t size = node_of(ino)->entry.size;
	st.st_mode = S_IFREG | 0444;
	st.st_nlink = 1;
	st.st_size = (off_t)size;
	st.st_blocks = (blkcnt_t)u64_div_up(size, 512);
	return st;
}

static void reply_entry(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param e = {.ino = ino,
		.attr = attributes(ino),
		.attr_timeout = SERVE_FOR_EVER,
		.entry_timeout = SERVE_FOR_EVER};
	if (fuse_reply_entry(req, &e) < 0)
		forget_node(fuse_req_userdata(req), ino, 1);
}

/* Only the one way to write a digest is a name: lower case. */
static bool parse_name(const char *name, size_t size, uint8_t *bytes)
{
	char again[NAME_SIZE + 1];
	return strlen(name) == 2 * size && hex_decode(name, bytes, size) == 0 &&
	       !strcmp(hex_encode(bytes, size, again), name);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct serve *s = fuse_req_userdata(req);
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	if (parent == FUSE_ROOT_ID && parse_name(name, 1, digest)) {
		reply_entry(req, FIRST_DIR + digest[0]);
		return;
	}
	if (parent == FUSE_ROOT_ID || !is_dir(parent) ||
		!parse_name(name, BLOBFS_DIGEST_SIZE - 1, digest + 1)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_blob blob;
	digest[0] = (uint8_t)(parent - FIRST_DIR);
	int r = reader ? blobfs_open_blob(&reader->fs, digest, &blob) : BLOBFS_IO;
	if (reader && r != 0 && r != BLOBFS_MISSING)
		serve_log_bad(s, digest, 0, reader, r);
	if (r != 0) {
		fuse_reply_err(req, r == BLOBFS_MISSING ? ENOENT : EIO);
		return;
	}
	struct serve_node *n = take_node(s, &blob.entry);
	if (n)
		reply_entry(req, (fuse_ino_t)(uintptr_t)n);
	else
		fuse_reply_err(req, ENOMEM);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	struct stat st = attributes(ino);
	fuse_reply_attr(req, &st, SERVE_FOR_EVER);
}

/* ---- directories --------------------------------------------------------------------
 */

/* Adds an entry at OFFSET (that of the next one). Whether it fitted. */
static bool put_name(fuse_req_t req, uint8_t *buffer, size_t size, size_t *used,
	const char *name, mode_t mode, off_t offset)
{
	/* The number is only shown; 0 would hide the name. */
	struct stat st = {.st_mode = mode, .st_ino = (ino_t)offset + 1};
	size_t n = fuse_add_direntry(
		req, (char *)buffer + *used, size - *used, name, &st, offset);
	if (n > size - *used)
		return false;
	*used += n;
	return true;
}

static size_t list_root(fuse_req_t req, uint8_t *buffer, size_t size, off_t offset)
{
	size_t used = 0;
	char name[3];
	for (; offset < N_DIRS; offset++) {
		uint8_t byte = (uint8_t)offset;
		hex_encode(&byte, 1, name);
		if (!put_name(req, buffer, size, &used, name, S_IFDIR, offset + 1))
			break;
	}
	return used;
}

/* The blobs of a directory from the OFFSETth on. */
static int list_blobs(fuse_req_t req, struct serve_reader *reader, uint8_t first,
	size_t size, off_t offset, size_t *used)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	char name[NAME_SIZE + 1];
	uint8_t start[BLOBFS_DIGEST_SIZE] = {first};
	off_t at = 0;
	int r = blobfs_walk_start(
		&walk, &reader->fs, "index", NULL, 0, reader->fs.n_runs);
	if (r == 0)
		r = blobfs_walk_seek(&walk, start);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0 && e.digest[0] == first) {
		r = 0;
		if (e.size == BLOBFS_TOMBSTONE || at++ < offset)
			continue;
		hex_encode(e.digest + 1, BLOBFS_DIGEST_SIZE - 1, name);
		if (!put_name(req, reader->data, size, used, name, S_IFREG, at))
			break;
	}
	blobfs_walk_stop(&walk);
	return r < 0 ? r : 0;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	(void)fi;
	struct serve_reader *reader = serve_reader(fuse_req_userdata(req));
	size_t used = 0;
	int r = reader ? 0 : -ENOMEM;
	if (size > SERVE_MAX_READ)
		size = SERVE_MAX_READ;
	if (r == 0 && ino == FUSE_ROOT_ID)
		used = list_root(req, reader->data, size, offset);
	else if (r == 0)
		r = list_blobs(
			req, reader, (uint8_t)(ino - FIRST_DIR), size, offset, &used);
	if (r < 0)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_buf(req, (const char *)reader->data, used);
}

/* ---- files --------------------------------------------------------------------------
 */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	if (serve_is_for_writing(fi)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_blob *blob = malloc(sizeof *blob);
	int r = reader && blob
			? blobfs_open_entry(&reader->fs, &node_of(ino)->entry, blob)
			: BLOBFS_IO;
	if (r != 0) {
		if (reader && blob)
			serve_log_bad(s, node_of(ino)->entry.digest, 0, reader, r);
		free(blob);
		fuse_reply_err(req, EIO);
		return;
	}
	serve_open(req, fi, blob);
}

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_readahead = SERVE_MAX_READ;
	connection->max_write = SERVE_MAX_READ;
}

const struct fuse_lowlevel_ops serve_operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readdir = op_readdir,
	.open = op_open,
	.release = serve_release,
	.read = serve_read,
};

int serve_start(struct serve *s, struct blobfs_image *image)
{
	s->image = image;
	pthread_mutex_init(&s->lock, NULL);
	return grow_table(s) < 0 ? error_memory() : 0;
}

/* ---- threads ------------------------------------------------------------------------
 */

struct worker {
	struct serve *serve;
	pthread_barrier_t *ready;
};

static void *answer(void *argument)
{
	struct worker w = *(struct worker *)argument;
	struct fuse_buf buffer = {0};
	/* All memory that is known beforehand, and nobody begins before the sandbox. */
	serve_reader(w.serve);
	pthread_barrier_wait(w.ready);
	pthread_barrier_wait(w.ready);
	while (!fuse_session_exited(w.serve->session)) {
		int n = fuse_session_receive_buf(w.serve->session, &buffer);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(w.serve->session, &buffer);
	}
	free(buffer.mem);
	serve_reader_free();
	return NULL;
}

int serve_run(struct serve *s)
{
	pthread_barrier_t ready;
	struct worker w = {s, &ready};
	pthread_t *threads = calloc(s->n_threads, sizeof *threads);
	if (!threads)
		return error_memory();
	pthread_barrier_init(&ready, NULL, s->n_threads + 1);
	for (unsigned i = 0; i < s->n_threads; i++)
		if (pthread_create(&threads[i], NULL, answer, &w))
			return error_set(STATUS_FAILED, EAGAIN, "cannot start threads");
	pthread_barrier_wait(&ready);
	int r = sandbox_enter();
	if (r < 0)
		return r;
	pthread_barrier_wait(&ready);
	for (unsigned i = 0; i < s->n_threads; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}
