/* SPDX-License-Identifier: MIT */
/*
 * The process that parses a container. It sees nothing but the segments, and can do
 * nothing but read them and answer.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/confine.h"
#include "verifier/examine/cell.h"
#include "verifier/examine/container.h"
#include "verifier/examine/ewf.h"
#include "verifier/examine/memory.h"
#include "verifier/examine/split.h"

#define MAX_IO ((size_t)1 << 20)

/* Seconds after which a call of the library is taken for one that never ends. */
#define OPEN_SECONDS 300
#define READ_SECONDS 60

/* Address space it may always have, bytes: a container of 1 TiB needs less. */
#define SPACE_MIN (UINT64_C(2) << 30)

static struct ewf ewf;
static struct split split;
static uint8_t reply[MAX_IO];

/* ---- reading -------------------------------------------------------------------------
 */

static void tell(void *context, uint64_t offset, uint64_t size)
{
	struct container_damage *d = ((struct container_server *)context)->damage;
	uint64_t n = atomic_load(&d->n);
	if (n < CONTAINER_DAMAGE_MAX) {
		d->places[n].offset = offset;
		d->places[n].size = size;
	}
	atomic_store(&d->n, n + 1);
}

static int read_media(struct container_server *s, uint64_t offset, size_t size)
{
	const struct ewf_damage damage = {tell, s};
	if (s->kind == CONTAINER_SPLIT)
		return split_read(&split, reply, size, offset);
	alarm(READ_SECONDS);
	ewf_read(&ewf, reply, size, offset, &damage);
	alarm(0);
	return 0;
}

/* ---- operations ----------------------------------------------------------------------
 */

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_readahead = MAX_IO;
	connection->max_write = MAX_IO;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct container_server *s = fuse_req_userdata(req);
	struct stat st = {.st_ino = ino,
		.st_mode = S_IFREG | 0400,
		.st_nlink = 1,
		.st_size = (off_t)s->size,
		.st_blocks = (blkcnt_t)(s->size / 512)};
	(void)fi;
	fuse_reply_attr(req, &st, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	/* Each reading is one of the segments, not of what was read before. */
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct container_server *s = fuse_req_userdata(req);
	uint64_t at = (uint64_t)offset;
	(void)ino;
	(void)fi;
	if (size > MAX_IO)
		size = MAX_IO;
	if (at >= s->size)
		size = 0;
	else if (size > s->size - at)
		size = (size_t)(s->size - at);
	if (read_media(s, at, size) < 0)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_buf(req, (const char *)reply, size);
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
};

/* ---- opening -------------------------------------------------------------------------
 */

static int open_split(const struct container_server *s, struct acquisition *a)
{
	int r = split_open(&split, s->files, s->n_files);
	a->media_size = split.size;
	return r;
}

/* A hostile container must not take all memory. */
static void limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	uint64_t half = memory_room() / 2, most = half > SPACE_MIN ? half : SPACE_MIN;
	struct rlimit limit = {most, most};
	setrlimit(RLIMIT_AS, &limit);
#endif
}

static int open_ewf(struct container_server *s, struct acquisition *a)
{
	char **names = calloc(s->n_files + 1, sizeof *names);
	int r = names ? 0 : error_memory();
	for (size_t i = 0; r == 0 && i < s->n_files; i++)
		if (asprintf(&names[i], "/segment.%zu", i + 1) < 0) {
			names[i] = NULL;
			r = error_memory();
		}
	alarm(OPEN_SECONDS);
	if (r == 0)
		r = ewf_open(&ewf, names, s->n_files, a);
	alarm(0);
	for (size_t i = 0; names && i < s->n_files; i++)
		free(names[i]);
	free(names);
	return r;
}

static int enter_cell(const struct container_server *s)
{
	int *fds = calloc(s->n_files + 1, sizeof *fds);
	if (!fds)
		return error_memory();
	for (size_t i = 0; i < s->n_files; i++)
		fds[i] = s->files[i].fd;
	limit_memory();
	int r = cell_enter(fds, s->n_files);
	free(fds);
	return r;
}

static int open_container(struct container_server *s, struct acquisition *a)
{
	/* Times in the container are told in UTC. */
	setenv("TZ", "UTC0", 1);
	tzset();
	signal(SIGALRM, SIG_DFL);
	if (s->kind == CONTAINER_SPLIT) {
		int r = confine();
		return r < 0 ? r : open_split(s, a);
	}
	int r = enter_cell(s);
	if (r == 0)
		r = confine_to_root();
	return r < 0 ? r : open_ewf(s, a);
}

/* Tells what was found; false if that is the end. */
static bool tell_facts(struct container_server *s)
{
	static struct container_facts facts;
	if (open_container(s, &facts.acquisition) < 0) {
		facts.status = error_status();
		snprintf(facts.text, sizeof facts.text, "%s", error_text());
	}
	s->size = facts.acquisition.media_size;
	bool told = write(s->facts, &facts, sizeof facts) == sizeof facts;
	close(s->facts);
	return told && facts.status == STATUS_GOOD;
}

int container_server_run(struct container_server *s)
{
	char *argv[] = {(char *)"cairn", NULL}, path[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_buf buffer = {0};
	/* Made before it is confined, which allows no more than answering. */
	struct fuse_session *session =
		fuse_session_new(&args, &operations, sizeof operations, s);
	snprintf(path, sizeof path, "/dev/fd/%d", s->device);
	if (!session || fuse_session_mount(session, path) != 0 || !tell_facts(s))
		return 1;
	while (!fuse_session_exited(session)) {
		int n = fuse_session_receive_buf(session, &buffer);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(session, &buffer);
	}
	return 0;
}
