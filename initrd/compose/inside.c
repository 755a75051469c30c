/* SPDX-License-Identifier: MIT */
#include "initrd/compose/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"

int inside_open(int dirfd, const char *path, int flags)
{
	struct open_how how = {.flags = (__u64)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd;
	/* EAGAIN: something was renamed meanwhile, and the kernel wants us to retry. */
	do
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd < 0 ? -errno : fd;
}

int inside_reopen(int handle, int flags)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int inside_slurp(int dirfd, const char *path, size_t limit, struct buffer *b)
{
	struct stat st;
	int handle = inside_open(dirfd, path, O_PATH);
	if (handle < 0)
		return error_set(STATUS_FAILED, -handle, "%s: cannot open: %s", path,
			strerror(-handle));
	int fd = -EINVAL;
	if (fstat(handle, &st) == 0 && S_ISREG(st.st_mode))
		fd = inside_reopen(handle, O_RDONLY);
	close(handle);
	if (fd < 0)
		return error_format("%s: is no regular file that can be read", path);
	int r = file_slurp_fd(fd, path, limit, b);
	close(fd);
	return r;
}
