/* SPDX-License-Identifier: MIT */
#include "verifier/examine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"

#define OTHERS_MAX 1024

/* What the name space's first process writes to the pipe. */
struct result {
	enum { RESULT_ENDED, RESULT_NOT_STARTED } kind;
	int value; /* status as of waitpid, or an errno */
	char what[64];
};

static void tell(int pipe, int kind, int value, const char *what)
{
	struct result r = {.kind = kind, .value = value};
	snprintf(r.what, sizeof r.what, "%s", what);
	if (write(pipe, &r, sizeof r) != sizeof r)
		_exit(1);
}

/* Whether the reader of PIPE is still there: we die with it, but not if it went first. */
static bool has_reader(int pipe)
{
	struct pollfd p = {.fd = pipe};
	return poll(&p, 1, 0) == 0;
}

static int attach(int mount, const char *dir)
{
	return move_mount(mount, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH);
}

/* Two mounts below DIR: the original, and the replayed copy. */
static int attach_both(const struct confine_options *o)
{
	char original[4096], replayed[4096];
	snprintf(original, sizeof original, "%s/original", o->dir);
	snprintf(replayed, sizeof replayed, "%s/replayed", o->dir);
	if (mount("cairn", o->dir, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC,
		    "mode=0755,size=64k") < 0 ||
		mkdir(original, 0755) < 0 || mkdir(replayed, 0755) < 0)
		return -1;
	int r = attach(o->mount, original);
	return r < 0 || o->replayed < 0 ? r : attach(o->replayed, replayed);
}

/* Name spaces as the command shall see them; NULL, or what failed. */
static const char *arrange(const struct confine_options *o)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "making mounts private";
	if ((o->both ? attach_both(o) : attach(o->mount, o->dir)) < 0)
		return o->dir;
	if (mount("proc", "/proc", "proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) < 0)
		return "/proc";
	if (chdir(o->dir) < 0)
		return o->dir;
	return NULL;
}

static void become_command(const struct confine_options *o, int pipe)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGURG};
	sigset_t none;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (o->stdout_to_stderr)
		dup2(2, 1);
	setenv("CAIRN_EXAMINE", o->dir, 1);
	execvp(o->argv[0], (char *const *)(uintptr_t)o->argv);
	tell(pipe, RESULT_NOT_STARTED, errno, o->argv[0]);
	_exit(127);
}

/* The first process of the PID name space: when it ends, all others in it do. */
static int be_first(const struct confine_options *o, int pipe)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "cairn-confine");
	if (!has_reader(pipe))
		return 1;
	const char *failed = arrange(o);
	if (failed) {
		tell(pipe, RESULT_NOT_STARTED, errno, failed);
		return 1;
	}
	/* Nothing of ours is left open, mounts and loop devices least of all. */
	close_range(3, (unsigned)pipe - 1, 0);
	close_range((unsigned)pipe + 1, ~0U, 0);
	pid_t command = fork(), ended;
	int status = 0;
	if (command == 0)
		become_command(o, pipe);
	if (command < 0) {
		tell(pipe, RESULT_NOT_STARTED, errno, "fork");
		return 1;
	}
	while ((ended = wait(&status)) != command)
		if (ended < 0 && errno != EINTR)
			return 1;
	tell(pipe, RESULT_ENDED, status, "");
	return 0;
}

int confine_start(const struct confine_options *o, struct confined *c)
{
	int ends[2];
	*c = CONFINED_NONE;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("cannot make a pipe");
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_PIDFD,
		.pidfd = (uintptr_t)&c->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(be_first(o, ends[1]));
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return error_errno("cannot make name spaces");
	}
	c->pid = (pid_t)pid;
	c->result = ends[0];
	return 0;
}

bool confine_wait(
	const struct confined *c, int timeout_ms, const struct pollfd *others, size_t n)
{
	struct pollfd polls[OTHERS_MAX + 1] = {{.fd = c->pidfd, .events = POLLIN}};
	/* More than these are looked at when the time is over. */
	if (n > OTHERS_MAX)
		n = OTHERS_MAX;
	if (n)
		memcpy(polls + 1, others, n * sizeof *others);
	return poll(polls, n + 1, timeout_ms) > 0 && polls[0].revents;
}

int confine_status(const struct confined *c, int *status)
{
	struct result r;
	if (read(c->result, &r, sizeof r) != sizeof r)
		return error_set(STATUS_FAILED, EIO, "the command was killed");
	r.what[sizeof r.what - 1] = 0;
	if (r.kind == RESULT_NOT_STARTED)
		return error_set(STATUS_FAILED, r.value,
			"%s: cannot start the command: %s", r.what, strerror(r.value));
	*status = WIFSIGNALED(r.value) ? 128 + WTERMSIG(r.value) : WEXITSTATUS(r.value);
	return 0;
}

void confine_kill(struct confined *c)
{
	if (c->pid > 0) {
		syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
		close(c->pidfd);
		close(c->result);
	}
	*c = CONFINED_NONE;
}
