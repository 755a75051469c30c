/* SPDX-License-Identifier: MIT */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/interrupt.h"
#include "core/path.h"

/* Fills in what is known of an open descriptor; the kind was checked before. */
static int describe(struct file *f, const struct stat *st)
{
	f->is_device = S_ISBLK(st->st_mode);
	f->size = (uint64_t)st->st_size;
	if (f->is_device && ioctl(f->fd, BLKGETSIZE64, &f->size) < 0)
		return error_errno("%s: cannot get the size of the device", f->name);
	return 0;
}

static int open_checked(struct file *f, int dirfd, const char *path, int flags,
	int lookup, bool allow_device)
{
	*f = FILE_CLOSED;
	int handle = openat(dirfd, path, O_PATH | O_CLOEXEC | lookup);
	if (handle < 0)
		return error_errno("%s: cannot open", path);
	struct stat st;
	int r = 0;
	if (fstat(handle, &st) < 0)
		r = error_errno("%s: cannot stat", path);
	else if (!S_ISREG(st.st_mode) && !(allow_device && S_ISBLK(st.st_mode)))
		r = error_format("%s: is %s, not a regular file%s", path,
			path_kind(st.st_mode), allow_device ? " or block device" : "");
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", handle);
	if (r == 0) {
		f->fd = open(self, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (f->fd < 0)
			r = error_errno("%s: cannot open", path);
	}
	close(handle);
	if (r == 0 && !(f->name = strdup(path)))
		r = error_memory();
	if (r == 0)
		r = describe(f, &st);
	if (r < 0)
		file_close(f);
	return r;
}

int file_open(struct file *f, const char *path)
{
	return open_checked(f, AT_FDCWD, path, O_RDONLY, 0, false);
}

int file_open_image(struct file *f, const char *path, int flags)
{
	return open_checked(f, AT_FDCWD, path, flags, 0, true);
}

int file_open_at(struct file *f, int dirfd, const char *name)
{
	return open_checked(f, dirfd, name, O_RDONLY, O_NOFOLLOW, false);
}

int file_from_fd(struct file *f, int fd, const char *name)
{
	*f = (struct file){.fd = fd};
	struct stat st;
	int r = 0;
	if (!(f->name = strdup(name)))
		r = error_memory();
	else if (fstat(fd, &st) < 0)
		r = error_errno("%s: cannot stat", name);
	else
		r = describe(f, &st);
	if (r < 0)
		file_close(f);
	return r;
}

void file_close(struct file *f)
{
	/* A zeroed struct was never opened: descriptor 0 is never ours without a name. */
	if (f->fd > 0 || (f->fd == 0 && f->name))
		close(f->fd);
	free(f->name);
	*f = FILE_CLOSED;
}

int file_read_some(
	const struct file *f, void *data, size_t size, uint64_t offset, size_t *n_read)
{
	*n_read = 0;
	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return error_format(
			"%s: offset %ju is out of range", f->name, (uintmax_t)offset);
	while (*n_read < size) {
		ssize_t n = pread(f->fd, (uint8_t *)data + *n_read, size - *n_read,
			(off_t)(offset + *n_read));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno("%s: cannot read at offset %ju", f->name,
				(uintmax_t)(offset + *n_read));
		if (n == 0)
			break;
		*n_read += (size_t)n;
	}
	return 0;
}

/* Where the file ends, if reading at OFFSET gave nothing. */
static uint64_t find_end(const struct file *f, uint64_t offset)
{
	struct stat st;
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_size > offset)
		return offset;
	return (uint64_t)st.st_size;
}

int file_read(const struct file *f, void *data, size_t size, uint64_t offset)
{
	size_t n_read;
	int r = file_read_some(f, data, size, offset, &n_read);
	if (r == 0 && n_read < size)
		return error_set(STATUS_FORMAT, EIO,
			"%s: ends at offset %ju, %zu bytes were expected at %ju", f->name,
			(uintmax_t)(n_read ? offset + n_read : find_end(f, offset)), size,
			(uintmax_t)offset);
	return r;
}

int file_write(const struct file *f, const void *data, size_t size, uint64_t offset)
{
	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return error_format(
			"%s: offset %ju is out of range", f->name, (uintmax_t)offset);
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(f->fd, (const uint8_t *)data + done, size - done,
			(off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno("%s: cannot write at offset %ju", f->name,
				(uintmax_t)(offset + done));
		done += (size_t)n;
	}
	return 0;
}

void file_flush_early(const struct file *f, uint64_t offset, uint64_t size)
{
	sync_file_range(f->fd, (off64_t)offset, (off64_t)size, SYNC_FILE_RANGE_WRITE);
}

int file_slurp_fd(int fd, const char *name, size_t limit, struct buffer *b)
{
	size_t start = b->size;
	for (;;) {
		int r = buffer_reserve(b, 65536);
		if (r < 0)
			return r;
		ssize_t n = read(fd, b->data + b->size, 65536);
		if (n < 0 && errno == EINTR && (r = interrupt_check()) == 0)
			continue;
		if (r < 0)
			return r;
		if (n < 0)
			return error_errno("%s: cannot read", name);
		b->size += (size_t)n;
		b->data[b->size] = 0;
		if (n == 0)
			return 0;
		if (b->size - start > limit)
			return error_format(
				"%s: larger than the %zu bytes allowed", name, limit);
	}
}

int file_slurp(const char *path, size_t limit, struct buffer *b)
{
	AUTO_FILE f = FILE_CLOSED;
	int r = file_open(&f, path);
	return r < 0 ? r : file_slurp_fd(f.fd, path, limit, b);
}

int file_lock(const struct file *f, int operation, unsigned timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;
	/* flock(2) has no time-out and an alarm would belong to the whole process. */
	while (flock(f->fd, operation | LOCK_NB) < 0) {
		int r = interrupt_check();
		if (r < 0)
			return r;
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return error_errno("%s: cannot lock", f->name);
		if (clock_ms() >= deadline)
			return error_set(STATUS_TIMEOUT, ETIMEDOUT,
				"%s: is locked by another process (waited %u ms)",
				f->name, timeout_ms);
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	return 0;
}

int file_in_memory(struct file *f, const char *name, struct span s)
{
	int fd = memfd_create("cairn", MFD_CLOEXEC);
	if (fd < 0)
		return error_errno("%s: cannot make a file in memory", name);
	int r = file_from_fd(f, fd, name);
	if (r == 0)
		r = file_write(f, s.data, s.size, 0);
	f->size = s.size;
	if (r < 0)
		file_close(f);
	return r;
}

int file_scratch(struct file *f, const char *path)
{
	const char *base;
	int dir = path_open_parent(path, &base);
	if (dir < 0)
		return dir;
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = path_unlinked_file(dir);
	int r = fd < 0 ? error_errno("%s: cannot make a temporary file beside it", path)
		       : 0;
	close(dir);
	return r < 0 ? r : file_from_fd(f, fd, path);
}
