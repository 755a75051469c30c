/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "builder/filesystem_make.h"
#include "builder/tar_stream.h"
#include "core/interrupt.h"
#include "core/process.h"
#include "core/progress.h"

/* Bytes of content, for the progress bar. */
static uint64_t content_size(const struct filesystem_job *job)
{
	uint64_t size = 0;
	size_t end = tree_end(job->tree, job->root);
	for (size_t i = (size_t)(job->root - job->tree->entries); i < end; i++)
		for (size_t j = 0; j < job->tree->entries[i].n_extents; j++)
			size += job->tree->entries[i].extents[j].size;
	return size;
}

static uint64_t bytes_free(const struct file *file)
{
	struct statvfs s;
	return fstatvfs(file->fd, &s) < 0 ? UINT64_MAX
					  : (uint64_t)s.f_bavail * s.f_frsize;
}

/* Seconds that a program may do nothing on a disk with less than this left. */
#define IDLE_LIMIT  5
#define NEARLY_FULL (1 << 20)

/* Whether it ended, within a second. */
static bool has_ended(const struct child *child)
{
	struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
	siginfo_t how = {0};
	poll(&ended, 1, 1000);
	/* Asked, as there are no such descriptors on old kernels and in valgrind. */
	int flags = WEXITED | WNOHANG | WNOWAIT;
	return waitid(P_PID, (id_t)child->pid, &how, flags) < 0 || how.si_pid != 0;
}

/*
 * One thread of mkfs.erofs 1.8 that cannot write lets the others wait for it for ever: it
 * is ended when it has used no processor time for a while, and the disk is full.
 */
static int wait_for(const struct filesystem_job *job, struct child *child)
{
	struct timespec used = {0}, before = {0};
	clockid_t clock;
	int idle = 0, r = clock_getcpuclockid(child->pid, &clock);
	while (r == 0 && idle < IDLE_LIMIT && !has_ended(child)) {
		if ((r = interrupt_check()) < 0)
			break;
		clock_gettime(clock, &used);
		bool same =
			used.tv_sec == before.tv_sec && used.tv_nsec == before.tv_nsec;
		idle = same && bytes_free(job->out) < NEARLY_FULL ? idle + 1 : 0;
		before = used;
	}
	if (idle == IDLE_LIMIT)
		r = error_set(STATUS_FAILED, ENOSPC, "%s: stopped doing anything: %s",
			child->program, strerror(ENOSPC));
	if (r < 0)
		process_kill(child);
	return r < 0 ? r : process_finish(child, -1);
}

/*
 * Programs that could not write do not always say so. What they need at most are the
 * contents twice: mkfs.erofs keeps them aside while it reads.
 */
static int tell_of_space(const struct filesystem_job *job, int r)
{
	uint64_t left = bytes_free(job->out), needed = 2 * content_size(job);
	if (r != -EIO || left >= needed)
		return r;
	return error_context(r,
		"%ju bytes are left on the disk, and up to %ju are needed",
		(uintmax_t)left, (uintmax_t)needed);
}

/*
 * A program that dies while it is fed is to be reported by what it said: its end of the
 * pipe is gone then, which must not end us.
 */
static int feed(const struct filesystem_job *job, struct child *child, int fd)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	sigaction(SIGPIPE, &ignore, &old);
	progress_begin("file system", content_size(job));
	int r = tar_stream_write(
		job->tree, job->root, job->info->n_acls_left_out == 0, fd);
	progress_end();
	sigaction(SIGPIPE, &old, NULL);
	close(fd);
	if (r < 0 && r != -EPIPE) {
		process_kill(child);
		return r;
	}
	int ended = wait_for(job, child);
	if (ended == 0 && r == -EPIPE)
		return error_set(STATUS_FAILED, EIO, "%s: did not take the whole tree",
			child->program ? child->program : "the program");
	return tell_of_space(job, ended);
}

int filesystem_feed(const struct filesystem_job *job, const char *const *argv,
	const char *const *setenv)
{
	int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		int r = error_errno("%s: cannot set up its input", argv[0]);
		if (null >= 0)
			close(null);
		return r;
	}
	/* Nice to have: fewer switches between the two. */
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	struct process p = {.argv = argv,
		.setenv = setenv,
		.keep_fds = &job->out->fd,
		.n_keep_fds = 1,
		.stdin_fd = ends[0],
		.stdout_fd = null};
	struct child child;
	int r = process_start(&p, &child);
	close(ends[0]);
	close(null);
	if (r < 0) {
		close(ends[1]);
		return r;
	}
	return feed(job, &child, ends[1]);
}

int filesystem_tool_version(const char *program, const char *option, struct buffer *line)
{
	const char *argv[] = {program, option, NULL};
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	int r = process_run(&p, line);
	if (r == 0)
		line->size = strcspn(buffer_text(line), "\n");
	if (r == 0 && line->data)
		line->data[line->size] = 0;
	return r;
}
