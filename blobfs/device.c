/* SPDX-License-Identifier: MIT */
#include "blobfs/device.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

enum lock_byte {
	LOCK_WRITER,
	LOCK_READERS,
};

/* Takes or releases the lock of one byte at once: 0, or -1 with errno. */
static int try_lock(const struct file *f, enum lock_byte byte, int type)
{
	struct flock lock = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	return fcntl(f->fd, F_OFD_SETLK, &lock);
}

static int lock(const struct file *f, enum lock_byte byte, int type, unsigned timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;
	while (try_lock(f, byte, type) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return error_errno("%s: cannot lock", f->name);
		if (clock_ms() >= deadline)
			return error_set(STATUS_TIMEOUT, ETIMEDOUT,
				"%s: is locked by another process (waited %u ms)",
				f->name, timeout_ms);
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	return 0;
}

int blobfs_lock_writer(const struct file *f, unsigned timeout_ms)
{
	return lock(f, LOCK_WRITER, F_WRLCK, timeout_ms);
}

int blobfs_lock_reader(const struct file *f, unsigned timeout_ms)
{
	return lock(f, LOCK_READERS, F_RDLCK, timeout_ms);
}

static int device_read(void *context, uint64_t offset, void *data, size_t size)
{
	return file_read(context, data, size, offset);
}

static int device_write(void *context, uint64_t offset, const void *data, size_t size)
{
	return file_write(context, data, size, offset);
}

static int device_flush(void *context)
{
	const struct file *f = context;
	return fdatasync(f->fd) < 0 ? error_errno("%s: cannot flush", f->name) : 0;
}

static int device_resize(void *context, uint64_t size)
{
	const struct file *f = context;
	if (size > INT64_MAX || ftruncate(f->fd, (off_t)size) < 0)
		return error_errno(
			"%s: cannot resize to %ju bytes", f->name, (uintmax_t)size);
	return 0;
}

static bool device_has_readers(void *context)
{
	const struct file *f = context;
	if (try_lock(f, LOCK_READERS, F_WRLCK) < 0)
		return true;
	try_lock(f, LOCK_READERS, F_UNLCK);
	return false;
}

int blobfs_device_init(struct blobfs_device *d)
{
	return block_hash_init(
		&d->hash, HASH_SHA256, BLOBFS_BLOCK, span_of(NULL, 0), span_of(NULL, 0));
}

void blobfs_device_close(struct blobfs_device *d)
{
	block_hash_free(&d->hash);
}

int blobfs_device_on_file(struct blobfs_device *d, const struct file *f)
{
	*d = (struct blobfs_device){.context = (void *)f,
		.name = f->name,
		.size = f->size,
		.is_file = !f->is_device,
		.read = device_read,
		.write = device_write,
		.flush = device_flush,
		.resize = device_resize,
		.has_readers = device_has_readers};
	return blobfs_device_init(d);
}

static int platform_read(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	struct blobfs_device *d = context;
	return d->read(d->context, offset, data, size);
}

static int platform_hash(
	void *context, const uint8_t *data, size_t size, size_t count, uint8_t *digests)
{
	const struct blobfs_device *d = context;
	if (size == BLOBFS_BLOCK)
		return block_hash_run(&d->hash, data, count, digests, BLOBFS_DIGEST_SIZE);
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct span part = span_of(data + i * size, size);
		r = hash_parts(HASH_SHA256, &part, 1, digests + i * BLOBFS_DIGEST_SIZE);
	}
	return r;
}

struct blobfs_platform blobfs_device_platform(struct blobfs_device *d)
{
	return (struct blobfs_platform){d, d->size, platform_read, platform_hash};
}

int blobfs_failed(const struct blobfs *fs, const char *name, int error)
{
	uintmax_t at = fs->bad_offset;
	switch (error) {
	case BLOBFS_MISSING:
		return error_set(STATUS_FAILED, ENOENT, "%s: has no such blob", name);
	case BLOBFS_NOT_ONE:
		return error_format("%s: is no blobfs image", name);
	case BLOBFS_UNSUPPORTED:
		return error_format(
			"%s: offset %ju: a version or feature of blobfs not known here",
			name, at);
	case BLOBFS_MALFORMED:
		if (fs->device_size > fs->platform.size)
			return error_format("%s: offset %ju: says that there are %ju "
					    "bytes, there are only %ju",
				name, at, (uintmax_t)fs->device_size,
				(uintmax_t)fs->platform.size);
		return error_format(
			"%s: offset %ju: malformed blobfs structure", name, at);
	case BLOBFS_DAMAGED:
		return error_set(STATUS_CONTENT, EIO,
			"%s: offset %ju: the block is not what its hash says", name, at);
	default:
		/* The device recorded what happened. */
		return error_context(-EIO, "%s: cannot be read at offset %ju", name, at);
	}
}
