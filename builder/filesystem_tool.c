/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/filesystem_make.h"
#include "builder/tar_stream.h"
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
	int ended = process_finish(child, -1);
	if (ended == 0 && r == -EPIPE)
		return error_set(STATUS_FAILED, EIO, "%s: did not take the whole tree",
			child->program ? child->program : "the program");
	return ended;
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
