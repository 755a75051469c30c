/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: one file seems to lie on another file system, of a server perhaps.
 * REMOTE_FILE is the file's last component, REMOTE_TYPE the number of the file system's
 * type, and REMOTE_LEASE, if set, the error that a lease on it is refused with.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

static int is_meant(int fd)
{
	char link[40], path[4096];
	const char *name = getenv("REMOTE_FILE");
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0 || !name)
		return 0;
	path[n] = 0;
	const char *last = strrchr(path, '/');
	return last && !strcmp(last + 1, name);
}

int fstatfs64(int fd, struct statfs64 *fs)
{
	int (*real)(int, struct statfs64 *) =
		(int (*)(int, struct statfs64 *))dlsym(RTLD_NEXT, "fstatfs64");
	const char *type = getenv("REMOTE_TYPE");
	int r = real(fd, fs);
	if (r == 0 && type && is_meant(fd))
		fs->f_type = (__typeof__(fs->f_type))strtoul(type, NULL, 0);
	return r;
}

int fstatfs(int fd, struct statfs *fs)
{
	return fstatfs64(fd, (struct statfs64 *)fs);
}

int fcntl64(int fd, int command, ...)
{
	int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
	const char *lease = getenv("REMOTE_LEASE");
	va_list list;
	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (command == F_SETLEASE && lease && is_meant(fd)) {
		errno = atoi(lease);
		return -1;
	}
	return real(fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
	va_list list;
	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	return fcntl64(fd, command, argument);
}
