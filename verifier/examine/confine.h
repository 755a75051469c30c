/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_CONFINE_H
#define CAIRN_VERIFIER_EXAMINE_CONFINE_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A command in mount and PID name spaces of its own, with an examined file system mounted
 * where nobody else sees it. It, and all that it started, is gone when it is ended, or
 * when we die.
 */
struct confine_options {
	const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
	const char *dir;         /* where the mount goes; the command starts in it */
	int mount;               /* detached; still owned by the caller */
	bool both;               /* DIR gets the directories original and replayed */
	int replayed;            /* what is mounted on the second; -1: it stays empty */
	bool stdout_to_stderr;
};

struct confined {
	pid_t pid; /* 0: there is none */
	int pidfd;
	int result; /* a pipe: what became of it */
};

#define CONFINED_NONE ((struct confined){.pidfd = -1, .result = -1})

int confine_start(const struct confine_options *o, struct confined *c);

/*
 * Waits for the end, but at most TIMEOUT_MS, and no longer than until one of N other
 * descriptors has something to tell. Returns whether it has ended.
 */
bool confine_wait(
	const struct confined *c, int timeout_ms, const struct pollfd *others, size_t n);

/*
 * How it ended: its status, or 128 + its signal. -ENOENT and so on, recorded, if it could
 * not be started. Only after confine_wait returned true.
 */
int confine_status(const struct confined *c, int *status);

/* Kills all of it, and waits until it is gone. May be called twice. */
void confine_kill(struct confined *c);

#endif
