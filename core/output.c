/* SPDX-License-Identifier: MIT */
#include "core/output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/path.h"

/* Refuses a target that must not be written over. */
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
	return 0;
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
	if (r == 0 && !(o->path = strdup(path)))
		r = error_memory();
	if (r == 0) {
		int fd = open_unnamed(o, mode);
		r = fd < 0 ? error_errno("%s: cannot create", path)
			   : file_from_fd(&o->file, fd, path);
	}
	if (r < 0)
		output_close(o);
	return r;
}

/* Gives the file the name NAME, which must be free. */
static int give_name(struct output *o, const char *name)
{
	if (o->temporary[0])
		return (int)syscall(SYS_renameat2, o->dirfd, o->temporary, o->dirfd, name,
			o->replace ? 0 : RENAME_NOREPLACE);
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", o->file.fd);
	return linkat(AT_FDCWD, self, o->dirfd, name, AT_SYMLINK_FOLLOW);
}

int output_commit(struct output *o)
{
	const char *base = path_base(o->path);
	if (fsync(o->file.fd) < 0)
		return error_errno("%s: cannot flush", o->path);
	int r = check_target(o->dirfd, o->path, o->replace);
	if (r < 0)
		return r;
	/* A link cannot replace, a rename can: link under a random name first. */
	if (o->replace && !o->temporary[0]) {
		char name[PATH_RANDOM_SIZE];
		if ((r = path_random(name)) < 0)
			return r;
		if (give_name(o, name) < 0)
			return error_errno("%s: cannot put in place", o->path);
		strcpy(o->temporary, name);
	}
	if (give_name(o, base) < 0)
		return error_errno("%s: cannot put in place", o->path);
	o->temporary[0] = 0;
	if (fsync(o->dirfd) < 0)
		return error_errno("%s: cannot flush its directory", o->path);
	return 0;
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
