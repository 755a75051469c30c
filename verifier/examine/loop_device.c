/* SPDX-License-Identifier: MIT */
#include "verifier/examine/loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "verifier/examine/users.h"

#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

/* Somebody else may take the free device first: how often another one is tried. */
#define ATTEMPTS 64

/* One number of /sys/block/loopN/NAME, -1 if there is none. */
static long long sysfs_number(const struct loop_device *l, const char *name)
{
	char path[64], text[32] = "";
	snprintf(path, sizeof path, "/sys/block/loop%d/%s", l->number, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? strtoll(text, NULL, 10) : -1;
}

/* The kernel's Documentation/block/stat.rst. */
static bool read_counters(const struct loop_device *l, struct loop_counters *c)
{
	char path[64], text[512] = "";
	unsigned long long v[15] = {0};
	snprintf(path, sizeof path, "/sys/block/loop%d/stat", l->number);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	size_t count = 0;
	for (char *at = text, *end; n > 0 && count < 15; at = end, count++) {
		v[count] = strtoull(at, &end, 10);
		if (end == at)
			break;
	}
	*c = (struct loop_counters){v[4], v[6], v[11], v[13]};
	return count >= 14 && sysfs_number(l, "queue/iostats") == 1;
}

static int configure(struct loop_device *l, int backing_fd, const char *name)
{
	struct loop_config config = {.fd = (uint32_t)backing_fd,
		.info.lo_flags =
			LO_FLAGS_AUTOCLEAR | (l->read_only ? LO_FLAGS_READ_ONLY : 0)};
	snprintf((char *)config.info.lo_file_name, sizeof config.info.lo_file_name, "%s",
		name);
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return error_errno("/dev/loop-control: cannot open; loop devices are "
				   "needed, and CAP_SYS_ADMIN");
	int r = -EBUSY;
	for (unsigned i = 0; i < ATTEMPTS && r == -EBUSY; i++) {
		l->number = ioctl(control, LOOP_CTL_GET_FREE);
		if (l->number < 0) {
			r = -errno;
			break;
		}
		snprintf(l->path, sizeof l->path, "/dev/loop%d", l->number);
		l->fd = open(l->path, (l->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		r = l->fd >= 0 && ioctl(l->fd, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
		if (r < 0 && l->fd >= 0) {
			close(l->fd);
			l->fd = -1;
		}
	}
	close(control);
	errno = -r;
	return r < 0 ? error_errno("%s: cannot set up a loop device", name) : 0;
}

/* The settings as they should be, and everything else that can be compared later. */
static int read_back(struct loop_device *l, int backing_fd, const char *name)
{
	struct loop_info64 info;
	int ro = 0;
	if (fstat(backing_fd, &l->backing) < 0 ||
		ioctl(l->fd, LOOP_GET_STATUS64, &info) < 0 ||
		ioctl(l->fd, BLKROGET, &ro) < 0 ||
		ioctl(l->fd, BLKGETSIZE64, &l->size) < 0)
		return error_errno("%s: cannot read back its settings", l->path);
	if (ioctl(l->fd, BLKGETDISKSEQ, &l->diskseq) < 0)
		l->diskseq = 0;
	l->counts = read_counters(l, &l->counters);
	BUFFER changes = {0};
	int r = loop_compare(l, &changes);
	bool is_ro =
		info.lo_flags & LO_FLAGS_READ_ONLY && ro && sysfs_number(l, "ro") == 1;
	if (r == 0 && (changes.size || is_ro != l->read_only ||
			      !(info.lo_flags & LO_FLAGS_AUTOCLEAR)))
		return error_set(STATUS_UNCHECKED, EIO,
			"%s: %s was not set up as asked for%s%s", name, l->path,
			changes.size ? ": " : "", buffer_text(&changes));
	return r;
}

int loop_attach(struct loop_device *l, int backing_fd, const char *name, bool read_only)
{
	*l = LOOP_NONE;
	l->read_only = read_only;
	int r = configure(l, backing_fd, name);
	if (r == 0)
		r = read_back(l, backing_fd, name);
	return r;
}

static bool same_file(const struct loop_info64 *info, const struct stat *st)
{
	return info->lo_inode == st->st_ino &&
	       info->lo_device == users_encode_device(st->st_dev);
}

static int compare_counters(const struct loop_device *l, struct buffer *changes)
{
	struct loop_counters now;
	if (!l->counts)
		return 0;
	if (!read_counters(l, &now))
		return buffer_printf(changes, "its counters were switched off; ");
	if (memcmp(&now, &l->counters, sizeof now) == 0)
		return 0;
	return buffer_printf(changes,
		"%ju requests to write (%ju sectors) and %ju to discard (%ju "
		"sectors) came; ",
		(uintmax_t)(now.write_requests - l->counters.write_requests),
		(uintmax_t)(now.write_sectors - l->counters.write_sectors),
		(uintmax_t)(now.discard_requests - l->counters.discard_requests),
		(uintmax_t)(now.discard_sectors - l->counters.discard_sectors));
}

int loop_compare(const struct loop_device *l, struct buffer *changes)
{
	struct loop_info64 info;
	uint64_t diskseq = 0, size = 0;
	int r = 0;
	if (ioctl(l->fd, LOOP_GET_STATUS64, &info) < 0 ||
		ioctl(l->fd, BLKGETSIZE64, &size) < 0)
		return buffer_printf(changes, "it was detached; ");
	if (!same_file(&info, &l->backing))
		r = buffer_printf(changes, "another file was put below it; ");
	if (r == 0 && (info.lo_offset || sysfs_number(l, "loop/offset") != 0))
		r = buffer_printf(changes, "its offset was set to %ju; ",
			(uintmax_t)info.lo_offset);
	if (r == 0 && (info.lo_sizelimit || size != l->size ||
			      sysfs_number(l, "loop/sizelimit") != 0))
		r = buffer_printf(changes, "its size was changed; ");
	if (r == 0 && l->read_only &&
		(!(info.lo_flags & LO_FLAGS_READ_ONLY) || sysfs_number(l, "ro") != 1))
		r = buffer_printf(changes, "it became writable; ");
	if (r == 0 && l->diskseq &&
		(ioctl(l->fd, BLKGETDISKSEQ, &diskseq) < 0 || diskseq != l->diskseq))
		r = buffer_printf(changes,
			"its disk sequence number went from %ju to %ju: the file below "
			"was exchanged; ",
			(uintmax_t)l->diskseq, (uintmax_t)diskseq);
	if (r == 0 && l->read_only)
		r = compare_counters(l, changes);
	if (r == 0 && changes->size)
		changes->data[changes->size -= 2] = 0;
	return r;
}

void loop_count_from_here(struct loop_device *l)
{
	l->counts = read_counters(l, &l->counters);
}

dev_t loop_number(const struct loop_device *l)
{
	struct stat st;
	return fstat(l->fd, &st) < 0 ? 0 : st.st_rdev;
}

bool loop_moved(const struct loop_device *l)
{
	struct loop_info64 info;
	return ioctl(l->fd, LOOP_GET_STATUS64, &info) < 0 || info.lo_offset ||
	       info.lo_sizelimit || !same_file(&info, &l->backing);
}

void loop_detach(struct loop_device *l)
{
	if (l->fd > 0)
		close(l->fd);
	l->fd = -1;
}

bool loop_lingers(const struct loop_device *l, unsigned wait_ms)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/sys/block/loop%d/loop", l->number);
	for (unsigned waited = 0; l->path[0]; waited++) {
		USERS users = {0};
		if (stat(path, &st) < 0 ||
			users_look_at_loop(&users, &l->backing, l->number) < 0 ||
			(!users.read_only.size && !users.writers.size))
			return false;
		if (waited >= wait_ms)
			return true;
		const struct timespec millisecond = {.tv_nsec = 1000000};
		nanosleep(&millisecond, NULL);
	}
	return false;
}
