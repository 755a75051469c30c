/* SPDX-License-Identifier: MIT */
#include "core/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/path.h"

/* Refuses a target that must not be written over. Returns 1 if one may be, 0 if none is.
 */
static int check_target(int dirfd, const char *path, bool replace)
{
	struct stat st;
	if (fstatat(dirfd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno("%s: cannot stat", path);
	if (!S_ISREG(st.st_mode))
		return error_set(STATUS_FAILED, EEXIST, "%s: exists and is %s", path,
			path_kind(st.st_mode));
	if (!replace)
		return error_set(
			STATUS_FAILED, EEXIST, "%s: exists (--force replaces it)", path);
	return 1;
}

static int open_unnamed(struct output *o, mode_t mode)
{
	int fd = openat(o->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (path_random(o->temporary) < 0)
		return -1;
	fd = openat(o->dirfd, o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		o->temporary[0] = 0;
	return fd;
}

int output_open(struct output *o, const char *path, mode_t mode, bool replace)
{
	*o = OUTPUT_CLOSED;
	o->replace = replace;
	const char *base;
	o->dirfd = path_open_parent(path, &base);
	if (o->dirfd < 0)
		return o->dirfd;
	int r = check_target(o->dirfd, path, replace);
	if (r >= 0)
		r = (o->path = strdup(path)) ? 0 : error_memory();
	if (r == 0) {
		int fd = open_unnamed(o, mode);
		r = fd < 0 ? error_errno("%s: cannot create", path)
			   : file_from_fd(&o->file, fd, path);
	}
	if (r < 0)
		output_close(o);
	return r;
}

static int link_as(const struct output *o, const char *name)
{
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", o->file.fd);
	return linkat(AT_FDCWD, self, o->dirfd, name, AT_SYMLINK_FOLLOW);
}

/* Gives the file its name, which must be free. */
static int place_new(struct output *o)
{
	const char *name = path_base(o->path);
	int r = o->temporary[0] ? path_rename_new(o->dirfd, o->temporary, o->dirfd, name)
				: link_as(o, name);
	if (r < 0)
		return error_errno("%s: cannot put in place", o->path);
	o->placed = OUTPUT_NEW;
	return 0;
}

/*
 * A link cannot replace, a rename can: link under a random name first. With KEEP what is
 * replaced gets that name, where the file system can do so.
 */
static int place_over(struct output *o, bool keep)
{
	const char *name = path_base(o->path);
	char random[PATH_RANDOM_SIZE];
	if (!o->temporary[0]) {
		int r = path_random(random);
		if (r < 0)
			return r;
		if (link_as(o, random) < 0)
			return error_errno("%s: cannot put in place", o->path);
		memcpy(o->temporary, random, sizeof random);
	}
	if (keep && path_exchange(o->dirfd, o->temporary, name) == 0) {
		o->placed = OUTPUT_EXCHANGED;
		return 0;
	}
	if (renameat(o->dirfd, o->temporary, o->dirfd, name) < 0)
		return error_errno("%s: cannot put in place", o->path);
	o->placed = OUTPUT_OVER;
	return 0;
}

static int place(struct output *o, bool keep)
{
	int exists = check_target(o->dirfd, o->path, o->replace);
	if (exists < 0)
		return exists;
	return exists ? place_over(o, keep) : place_new(o);
}

/* As it was before: what was replaced comes back, if it was kept. */
static void take_back(struct output *o)
{
	const char *name = path_base(o->path);
	if (o->placed == OUTPUT_NEW)
		path_unlink_same(o->dirfd, name, o->file.fd);
	/* If it cannot, what was replaced is the temporary one, and must stay. */
	if (o->placed == OUTPUT_EXCHANGED &&
		path_exchange(o->dirfd, o->temporary, name) < 0)
		return;
	if (o->temporary[0])
		unlinkat(o->dirfd, o->temporary, 0);
}

/* All get their names, for good only when the directories are flushed. */
static int place_all(struct output *outputs, size_t n)
{
	struct error_record why;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (outputs[i].path)
			r = place(&outputs[i], n > 1);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (outputs[i].path && fsync(outputs[i].dirfd) < 0)
			r = error_errno(
				"%s: cannot flush its directory", outputs[i].path);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (outputs[i].placed == OUTPUT_EXCHANGED)
			unlinkat(outputs[i].dirfd, outputs[i].temporary, 0);
	if (r == 0)
		return 0;
	error_take(&why);
	for (size_t i = n; i-- > 0;)
		if (outputs[i].path)
			take_back(&outputs[i]);
	error_put(&why);
	return r;
}

/* What a child of place_in_child answers; below PIPE_BUF, so it comes whole. */
struct answer {
	int r;
	struct error_record error;
};

static void place_and_answer(struct output *outputs, size_t n, int to)
{
	struct answer a = {0};
	setsid(); /* what is sent to our process group does not reach it */
	a.r = place_all(outputs, n);
	if (a.r < 0)
		error_take(&a.error);
	_exit(write(to, &a, sizeof a) == sizeof a ? 0 : 1);
}

/*
 * Places files in a child, which goes on when this process is killed meanwhile: else a
 * SIGKILL between two names would leave files that do not belong together.
 */
static int place_in_child(struct output *outputs, size_t n)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("cannot make a pipe");
	pid_t pid = fork();
	if (pid == 0)
		place_and_answer(outputs, n, ends[1]);
	int r = pid < 0 ? error_errno("cannot start a process") : 0;
	struct answer a = {0};
	close(ends[1]);
	if (r == 0 && read(ends[0], &a, sizeof a) != sizeof a)
		r = error_set(STATUS_FAILED, EIO,
			"the process that puts the files in place died");
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (r == 0 && a.r < 0)
		error_put(&a.error);
	return r < 0 ? r : a.r;
}

/* One file whose name is free gets it in one step: nothing can come between. */
static bool is_one_step(const struct output *outputs, size_t n)
{
	return n == 1 && !outputs->replace;
}

int output_commit(struct output *o)
{
	return output_commit_all(o, 1);
}

int output_commit_all(struct output *outputs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (outputs[i].path && fsync(outputs[i].file.fd) < 0)
			return error_errno("%s: cannot flush", outputs[i].path);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int r = is_one_step(outputs, n) ? place_all(outputs, n)
					: place_in_child(outputs, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		outputs[i].temporary[0] = 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void output_close(struct output *o)
{
	if (o->temporary[0] && o->dirfd >= 0)
		unlinkat(o->dirfd, o->temporary, 0);
	file_close(&o->file);
	if (o->dirfd >= 0)
		close(o->dirfd);
	free(o->path);
	*o = OUTPUT_CLOSED;
}

int output_save(const char *path, mode_t mode, bool replace, struct span contents)
{
	AUTO_OUTPUT o = OUTPUT_CLOSED;
	int r = output_open(&o, path, mode, replace);
	if (r == 0)
		r = file_write(&o.file, contents.data, contents.size, 0);
	return r < 0 ? r : output_commit(&o);
}
