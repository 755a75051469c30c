/* SPDX-License-Identifier: MIT */
#include "core/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/hex.h"

const char *path_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	default:
		return "of unknown kind";
	}
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int path_open_parent(const char *path, const char **base)
{
	*base = path_base(path);
	if (!**base || !strcmp(*base, ".") || !strcmp(*base, ".."))
		return error_usage("%s: does not name a file", path);
	size_t length = (size_t)(*base - path);
	char *parent = length ? strndup(path, length) : strdup(".");
	if (!parent)
		return error_memory();
	int fd = path_open_dir(parent);
	free(parent);
	return fd;
}

int path_open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno("%s: cannot open the directory", path) : fd;
}

int path_random(char name[PATH_RANDOM_SIZE])
{
	uint8_t bytes[8];
	char text[2 * sizeof bytes + 1];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return error_errno("cannot get random bytes");
	snprintf(name, PATH_RANDOM_SIZE, ".cairn-%s",
		hex_encode(bytes, sizeof bytes, text));
	return 0;
}

int path_rename_new(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	struct stat st;
	if (syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from_dirfd, from, to_dirfd, to, 0) == 0)
		return unlinkat(from_dirfd, from, 0);
	if (errno == EEXIST)
		return -1;
	if (fstatat(to_dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_dirfd, from, to_dirfd, to);
}

int path_exchange(int dirfd, const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, dirfd, a, dirfd, b, RENAME_EXCHANGE);
}

static int rename_new(int dirfd, const char *from, const char *to)
{
	return path_rename_new(dirfd, from, dirfd, to);
}

int path_make_dir(int dirfd, const char *name, mode_t mode)
{
	char temporary[PATH_RANDOM_SIZE];
	int r = path_random(temporary);
	if (r < 0)
		return r;
	if (mkdirat(dirfd, temporary, mode) < 0)
		return error_errno("%s: cannot create the directory", name);
	int fd =
		openat(dirfd, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		r = error_errno("%s: cannot open the directory just made", name);
	else if (rename_new(dirfd, temporary, name) < 0)
		r = error_errno("%s: cannot create the directory", name);
	if (r == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	unlinkat(dirfd, temporary, AT_REMOVEDIR);
	return r;
}

int path_make_dirs(const char *path, mode_t mode)
{
	char *copy = strdup(path);
	if (!copy)
		return error_memory();
	int r = 0;
	for (char *p = copy + 1; r == 0 && *copy; p++) {
		if (*p != '/' && *p)
			continue;
		char end = *p;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			r = error_errno("%s: cannot create the directory", copy);
		*p = end;
		if (!end)
			break;
	}
	free(copy);
	return r;
}

int path_unlink_same(int dirfd, const char *name, int fd)
{
	char aside[PATH_RANDOM_SIZE];
	int r = path_random(aside);
	if (r < 0)
		return r;
	if (rename_new(dirfd, name, aside) < 0)
		return error_errno("%s: cannot move aside", name);
	struct stat meant, found;
	if (fstat(fd, &meant) < 0 ||
		fstatat(dirfd, aside, &found, AT_SYMLINK_NOFOLLOW) < 0)
		r = error_errno("%s: cannot stat", name);
	else if (meant.st_dev != found.st_dev || meant.st_ino != found.st_ino)
		r = error_set(STATUS_FAILED, ESTALE, "%s: is another file by now", name);
	else if (unlinkat(dirfd, aside, 0) < 0)
		r = error_errno("%s: cannot unlink", name);
	if (r < 0)
		rename_new(dirfd, aside, name);
	return r;
}

int path_unlinked_file(int dirfd)
{
	char name[PATH_RANDOM_SIZE];
	if (path_random(name) < 0)
		return -1;
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlinkat(dirfd, name, 0);
	return fd;
}
