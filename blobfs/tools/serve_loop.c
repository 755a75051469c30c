/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/tools/serve_reader.h"
#include "core/workers.h"

int serve_new(struct serve **sp, const struct serve_options *options)
{
	struct serve *s = *sp = calloc(1, sizeof *s);
	if (!s)
		return error_memory();
	s->image = options->image;
	s->to_stderr = options->to_stderr;
	atomic_init(&s->readahead, -1);
	/* One more than processors: while one waits for the disk, another one hashes. */
	s->n_threads = workers_default() + 1;
	if (s->n_threads > SERVE_MAX_THREADS)
		s->n_threads = SERVE_MAX_THREADS;
	pthread_mutex_init(&s->lock, NULL);
	int r = options->tree ? serve_names_open(s, options->tree)
			      : serve_numbers_start(&s->numbers, &s->image->store.fs);
	/* Of this thread, which does not serve. */
	serve_reader_free();
	return r;
}

/* Opens where the kernel is told how far to read ahead; that is for root alone. */
static int open_readahead(const char *dir)
{
	struct statx st;
	char path[64];
	/* Nobody answers yet, so nothing may be asked of the mount. */
	if (statx(AT_FDCWD, dir, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) <
		0)
		return -1;
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb",
		st.stx_dev_major, st.stx_dev_minor);
	return open(path, O_WRONLY | O_CLOEXEC);
}

/*
 * The kernel reads at most 128 KiB ahead of its own accord, less than what several
 * threads verify in a row. Its limit can be raised only after the first answer, with
 * which it would lower it again.
 */
static void raise_readahead(struct serve *s)
{
	char text[24];
	int fd = atomic_exchange(&s->readahead, -1);
	if (fd < 0)
		return;
	int n = snprintf(text, sizeof text, "%zu", SERVE_MAX_READ >> 10);
	/* Without it reading is slower, and as good. */
	if (write(fd, text, (size_t)n) < 0)
		error_clear();
	close(fd);
}

int serve_mount(struct serve *s, const char *options, const char *dir)
{
	const struct fuse_lowlevel_ops *operations =
		s->names ? &serve_tree_operations : &serve_operations;
	char *argv[] = {
		(char *)"mount.blobfs", (char *)"-o", (char *)(uintptr_t)options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	s->session = fuse_session_new(&args, operations, sizeof *operations, s);
	fuse_opt_free_args(&args);
	if (!s->session)
		return error_set(STATUS_FAILED, EIO, "cannot make a FUSE session");
	if (fuse_session_mount(s->session, dir) != 0)
		return error_set(STATUS_FAILED, EIO, "%s: cannot mount there", dir);
	atomic_store(&s->readahead, open_readahead(dir));
	return 0;
}

void serve_unmount(struct serve *s)
{
	fuse_session_unmount(s->session);
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	if (s->session)
		fuse_session_destroy(s->session);
	serve_names_free(s->names);
	free(s);
}

/* ---- threads ----------------------------------------------------------------------- */

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
		raise_readahead(w.serve);
	}
	free(buffer.mem);
	serve_reader_free();
	return NULL;
}

int serve_run(struct serve *s)
{
	pthread_barrier_t ready;
	struct worker w = {s, &ready};
	pthread_t threads[SERVE_MAX_THREADS];
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
	return 0;
}
