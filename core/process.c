/* SPDX-License-Identifier: MIT */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/interrupt.h"
#include "core/resource.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char *find_in(const char *directories, const char *program)
{
	while (directories && *directories) {
		size_t length = strcspn(directories, ":");
		char *path;
		if (asprintf(&path, "%.*s/%s", (int)length, directories, program) < 0)
			return NULL;
		if (length && access(path, X_OK) == 0)
			return path;
		free(path);
		directories += length + (directories[length] == ':');
	}
	return NULL;
}

int process_find(const char *program, char **path)
{
	char *ours = NULL;
	*path = strchr(program, '/') ? strdup(program)
				     : find_in(getenv("CAIRN_TOOLS"), program);
	if (!*path && resource_find("tools", &ours) == 0)
		*path = find_in(ours, program);
	free(ours);
	if (!*path && !(*path = find_in(getenv("PATH"), program)))
		*path = find_in(DEFAULT_PATH, program);
	if (!*path)
		return error_set(STATUS_FAILED, ENOENT,
			"%s: this program is needed and was not found", program);
	return 0;
}

static void free_environment(char **env)
{
	for (char **e = env; e && *e; e++)
		free(*e);
	free(env);
}

/* The whole environment of the child; both the array and its strings are owned. */
static int make_environment(const struct process *p, char ***environment)
{
	size_t n = 0, extra = 0;
	while (p->setenv && p->setenv[extra])
		extra++;
	char **env = calloc(extra + 4, sizeof *env);
	if (!env)
		return error_memory();
	const char *path = getenv("PATH");
	if (asprintf(&env[0], "PATH=%s:%s", path ? path : DEFAULT_PATH, DEFAULT_PATH) < 0)
		env[0] = NULL;
	bool whole = env[n++] && (env[n++] = strdup("LC_ALL=C")) &&
		     (env[n++] = strdup("TZ=UTC0"));
	for (size_t i = 0; whole && i < extra; i++)
		whole = (env[n++] = strdup(p->setenv[i])) != NULL;
	if (!whole) {
		free_environment(env);
		return error_memory();
	}
	*environment = env;
	return 0;
}

/* In the child: only async-signal-safe calls from here to execve. */
static void become(const struct process *p, const char *path, char **env, int in, int out,
	int err, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || (err >= 0 && dup2(err, 2) < 0))
		_exit(127);
	for (size_t i = 0; i < p->n_keep_fds; i++)
		fcntl(p->keep_fds[i], F_SETFD, 0);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execve(path, (char *const *)p->argv, env);
	_exit(127);
}

struct plumbing {
	int in, out, err; /* the child's */
	int output;       /* our end of its stdout */
};

static int lay(const struct process *p, struct plumbing *l)
{
	*l = (struct plumbing){.in = -1, .out = -1, .err = -1, .output = -1};
	l->in = p->stdin_fd >= 0 ? fcntl(p->stdin_fd, F_DUPFD_CLOEXEC, 3)
				 : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int ends[2] = {-1, -1};
	if (p->stdout_fd >= 0)
		l->out = fcntl(p->stdout_fd, F_DUPFD_CLOEXEC, 3);
	else if (pipe2(ends, O_CLOEXEC) == 0)
		l->output = ends[0], l->out = ends[1];
	if (!p->raw_stderr)
		l->err = memfd_create("stderr", MFD_CLOEXEC);
	if (l->in < 0 || l->out < 0 || (l->err < 0 && !p->raw_stderr))
		return error_errno("%s: cannot set up its input and output", p->argv[0]);
	return 0;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

int process_start(const struct process *p, struct child *child)
{
	*child = (struct child){.pidfd = -1, .output = -1, .errors = -1};
	char *path = NULL, **env = NULL;
	struct plumbing l = {.in = -1, .out = -1, .err = -1, .output = -1};
	int r = process_find(p->argv[0], &path);
	if (r == 0)
		r = make_environment(p, &env);
	if (r == 0)
		r = lay(p, &l);
	if (r == 0) {
		pid_t parent = getpid(), pid = fork();
		if (pid == 0)
			become(p, path, env, l.in, l.out, l.err, parent);
		if (pid < 0)
			r = error_errno("%s: cannot start", p->argv[0]);
		else
			*child = (struct child){.pid = pid,
				.output = l.output,
				.errors = l.err,
				.program = p->argv[0],
				.pidfd = (int)syscall(SYS_pidfd_open, pid, 0)};
	}
	close_if(l.in);
	close_if(l.out);
	if (r < 0) {
		close_if(l.err);
		close_if(l.output);
	}
	free(path);
	free_environment(env);
	return r;
}

void process_kill(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
		close_if(child->pidfd);
		close_if(child->output);
		close_if(child->errors);
	}
	*child = (struct child){.pidfd = -1, .output = -1, .errors = -1};
}

/* The last non-empty line of what the program wrote to stderr, for the message. */
#define LINE_SIZE 512
static void last_line(int fd, char line[LINE_SIZE])
{
	char text[LINE_SIZE];
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t start = end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0;
	ssize_t n = end > 0 ? pread(fd, text, (size_t)(end - start), start) : 0;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n > 0 ? n : 0] = 0;
	const char *newline = strrchr(text, '\n');
	snprintf(line, LINE_SIZE, "%s", newline ? newline + 1 : text);
}

static int judge(const struct child *child, int status)
{
	char line[LINE_SIZE];
	last_line(child->errors, line);
	const char *colon = line[0] ? ": " : "";
	if (WIFSIGNALED(status))
		return error_set(STATUS_FAILED, EIO, "%s: ended by signal %d%s%s",
			child->program, WTERMSIG(status), colon, line);
	if (WEXITSTATUS(status))
		return error_set(STATUS_FAILED, EIO, "%s: failed with status %d%s%s",
			child->program, WEXITSTATUS(status), colon, line);
	return 0;
}

/* Waits for the child to end, unless a signal to us comes first. */
static int await(struct child *child, int timeout_ms, int *status)
{
	struct pollfd wait = {.fd = child->pidfd, .events = POLLIN};
	int ready = 1, r = 0;
	if (timeout_ms >= 0)
		while ((ready = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR)
			if ((r = interrupt_check()) < 0)
				return r;
	if (ready == 0)
		return error_set(STATUS_TIMEOUT, ETIMEDOUT,
			"%s: did not end within %d ms", child->program, timeout_ms);
	while (waitpid(child->pid, status, 0) < 0) {
		if (errno != EINTR)
			return error_errno("%s: cannot wait for it", child->program);
		if ((r = interrupt_check()) < 0)
			return r;
	}
	return 0;
}

int process_finish(struct child *child, int timeout_ms)
{
	int status, r = await(child, timeout_ms, &status);
	if (r < 0) {
		process_kill(child);
		return r;
	}
	r = judge(child, status);
	/* A terminal interrupts the child as well as us; that is the cause, then. */
	if (r < 0 && interrupt_check() < 0)
		r = -EINTR;
	close_if(child->pidfd);
	close_if(child->output);
	close_if(child->errors);
	*child = (struct child){.pidfd = -1, .output = -1, .errors = -1};
	return r;
}

int process_run(const struct process *p, struct buffer *output)
{
	BUFFER discarded = {0};
	struct child child;
	int r = process_start(p, &child);
	if (r == 0 && child.output >= 0)
		r = file_slurp_fd(child.output, p->argv[0], 256 << 20,
			output ? output : &discarded);
	if (r < 0) {
		process_kill(&child);
		return r;
	}
	return process_finish(&child, -1);
}
