/* SPDX-License-Identifier: MIT */
#include "initrd/compose/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "initrd/compose/ioctl.h"

#define CONTROL   "/dev/loop-control"
#define TRIES_MAX 64 /* others look for a free device at the same time */
#define UNIT      512

/* linux/loop.h's numbers are ints already; the type differs by libc all the same. */
static int request(int fd, unsigned number, void *argument)
{
	return ioctl(fd, (ioctl_number)number, argument);
}

/* Returns the descriptor of a device that was free just now, or a negative errno. */
static int open_free(int control)
{
	char path[32];
	int number = request(control, LOOP_CTL_GET_FREE, NULL);
	if (number < 0)
		return error_errno("no free loop device");
	snprintf(path, sizeof path, "/dev/loop%d", number);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_errno("%s: cannot open", path) : fd;
}

/* What the kernel says must be what was asked for. */
static int check(int fd, const char *name, const struct loop_info64 *asked)
{
	struct loop_info64 is;
	struct stat st;
	if (request(fd, LOOP_GET_STATUS64, &is) < 0 || fstat(fd, &st) < 0)
		return error_errno("%s: cannot read the loop device's state", name);
	if (!(is.lo_flags & LO_FLAGS_READ_ONLY) || is.lo_offset != asked->lo_offset ||
		is.lo_sizelimit != asked->lo_sizelimit)
		return error_set(STATUS_FAILED, EIO,
			"%s: the loop device is not what was asked for", name);
	return 0;
}

static int configure(
	int control, struct loop *l, const char *name, const struct loop_config *config)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		struct loop_config c = *config;
		int fd = open_free(control);
		if (fd < 0)
			return fd;
		if (request(fd, LOOP_CONFIGURE, &c) == 0) {
			l->fd = fd;
			return check(fd, name, &config->info);
		}
		int err = errno;
		close(fd);
		if (err != EBUSY) {
			errno = err;
			return error_errno("%s: cannot attach to a loop device", name);
		}
	}
	return error_set(STATUS_TIMEOUT, EBUSY, "%s: no loop device stays free", name);
}

int loop_open(struct loop *l, int fd, const char *name, uint64_t offset, uint64_t size)
{
	struct loop_config config = {.fd = (__u32)fd,
		.info = {.lo_offset = offset,
			.lo_sizelimit = size,
			.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};
	struct stat st;
	*l = LOOP_CLOSED;
	if (offset % UNIT || size % UNIT || size == 0)
		return error_format("%s: a partition at %ju of %ju bytes is not aligned",
			name, (uintmax_t)offset, (uintmax_t)size);
	int control = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0)
		return error_errno(CONTROL ": cannot open");
	int r = configure(control, l, name, &config);
	close(control);
	if (r == 0 && fstat(l->fd, &st) < 0)
		r = error_errno("%s: cannot stat the loop device", name);
	if (r == 0)
		snprintf(l->device, sizeof l->device, "%u:%u", major(st.st_rdev),
			minor(st.st_rdev));
	else
		loop_close(l);
	return r;
}

void loop_close(struct loop *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
