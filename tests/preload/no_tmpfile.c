/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: a file system that has no unnamed files. What is written must have a
 * name meanwhile, and it must go again.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int openat64(int dirfd, const char *path, int flags, ...)
{
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	int (*next)(int, const char *, int, ...) = dlsym(RTLD_NEXT, "openat64");
	va_list args;
	va_start(args, flags);
	int mode = va_arg(args, int);
	va_end(args);
	return next(dirfd, path, flags, mode);
}
