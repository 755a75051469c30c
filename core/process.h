/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PROCESS_H
#define CAIRN_CORE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/buffer.h"

/*
 * Other programs, run without a shell and in a known environment: PATH, LC_ALL=C,
 * TZ=UTC0 and what the caller adds; nothing of the host's locale or time zone reaches
 * the bytes of an image. They are waited for by descriptor and killed with us.
 */
struct process {
	const char *const *argv;   /* ends with NULL; argv[0] is looked up */
	const char *const *setenv; /* "NAME=VALUE", ends with NULL; or NULL */
	const int *keep_fds;       /* descriptors passed on under the same numbers */
	size_t n_keep_fds;
	int stdin_fd;    /* -1: /dev/null */
	int stdout_fd;   /* -1: captured */
	bool raw_stderr; /* the program's stderr is ours, else captured */
};

struct child {
	pid_t pid;
	int pidfd;
	int output;          /* its captured stdout, -1 if not captured */
	int errors;          /* its captured stderr, a file in memory; -1 if raw */
	const char *program; /* as given; for messages */
};

/*
 * The path of a program: in $CAIRN_TOOLS (directories, colon-separated) first, then in
 * tools/ of our own (core/resource.h), in PATH and in the sbin directories. -ENOENT,
 * STATUS_FAILED if missing: the message names the program. The caller frees *PATH.
 */
int process_find(const char *program, char **path);

/* Runs to the end. Standard output is appended to OUTPUT (NULL: discarded). */
int process_run(const struct process *p, struct buffer *output);

/* Starts, and returns at once. The caller must finish it. */
int process_start(const struct process *p, struct child *child);

/*
 * Waits, at most TIMEOUT_MS (-1: for ever; then it is killed: STATUS_TIMEOUT). A status
 * other than 0 is -EIO, recorded with the last line the program wrote to stderr.
 */
int process_finish(struct child *child, int timeout_ms);

/* Kills if it still runs, reaps, closes. May be called twice and on a zeroed struct. */
void process_kill(struct child *child);

#endif
