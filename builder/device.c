/* SPDX-License-Identifier: MIT */
#include "builder/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* At either end of a disk: more than a GPT of 4096-byte sectors takes. */
#define TABLE_ROOM ((size_t)1 << 20)

static int check_whole(const struct file *f)
{
	struct stat st;
	if (fstat(f->fd, &st) < 0)
		return error_errno("%s: cannot stat", f->name);
	char *attribute;
	if (asprintf(&attribute, "/sys/dev/block/%u:%u/partition", major(st.st_rdev),
		    minor(st.st_rdev)) < 0)
		return error_memory();
	bool is_partition = access(attribute, F_OK) == 0;
	free(attribute);
	if (is_partition)
		return error_usage(
			"%s: is a partition; an image needs a whole disk", f->name);
	int read_only = 0;
	if (ioctl(f->fd, BLKROGET, &read_only) == 0 && read_only)
		return error_set(STATUS_FAILED, EROFS, "%s: is read-only", f->name);
	return 0;
}

/* O_EXCL on a block device fails while it, or a partition of it, is in use. */
static int open_exclusive(struct file *f, const char *path, unsigned timeout_ms)
{
	for (unsigned waited = 0;; waited += 50) {
		int r = file_open_image(f, path, O_RDWR | O_EXCL);
		if (r != -EBUSY)
			return r;
		if (waited >= timeout_ms)
			return error_set(STATUS_TIMEOUT, EBUSY,
				"%s: is in use: mounted, or part of something that is",
				path);
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

int device_open(struct file *f, const char *path, unsigned timeout_ms)
{
	int r = open_exclusive(f, path, timeout_ms);
	if (r == 0)
		r = check_whole(f);
	if (r == 0)
		r = file_lock(f, LOCK_EX, timeout_ms);
	if (r < 0)
		file_close(f);
	return r;
}

int device_begin(const struct file *f)
{
	if (f->size < 2 * TABLE_ROOM)
		return error_usage("%s: %ju bytes are too small for an image", f->name,
			(uintmax_t)f->size);
	BUFFER zeros = {0};
	int r = buffer_append_zeros(&zeros, TABLE_ROOM);
	if (r == 0)
		r = file_write(f, zeros.data, zeros.size, 0);
	if (r == 0)
		r = file_write(f, zeros.data, zeros.size, f->size - TABLE_ROOM);
	if (r == 0 && fsync(f->fd) < 0)
		r = error_errno("%s: cannot flush", f->name);
	return r;
}

int device_finish(const struct file *f)
{
	if (fsync(f->fd) < 0)
		return error_errno("%s: cannot flush", f->name);
	/* A disk that cannot have partitions (a loop device, say) is good all the same.
	 */
	ioctl(f->fd, BLKRRPART);
	return 0;
}
