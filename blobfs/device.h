/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_DEVICE_H
#define CAIRN_BLOBFS_DEVICE_H

#include "blobfs/reader.h"
#include "core/block_hash.h"
#include "core/file.h"

/*
 * What an image lies on, for user space: a file or block device, or what a test puts in
 * its place. The functions return 0 or a negative errno with the sentence recorded.
 */
struct blobfs_device {
	void *context;
	const char *name; /* for messages; belongs to whoever made the device */
	uint64_t size;    /* bytes */
	bool is_file;     /* can be resized */
	struct block_hash hash;
	int (*read)(void *context, uint64_t offset, void *data, size_t size);
	int (*write)(void *context, uint64_t offset, const void *data, size_t size);
	int (*flush)(void *context);
	int (*resize)(void *context, uint64_t size);
	bool (*has_readers)(void *context); /* may any other process read an old state? */
};

/* A device on F, which must stay open. The caller closes the device. */
int blobfs_device_on_file(struct blobfs_device *d, const struct file *f);

/* Only what does not depend on the medium: the hash. */
int blobfs_device_init(struct blobfs_device *d);
void blobfs_device_close(struct blobfs_device *d);

/* What the reader needs; the result refers to D. */
struct blobfs_platform blobfs_device_platform(struct blobfs_device *d);

/*
 * Locks of docs/blobfs-format.md, held until F is closed: one writer, and readers that
 * keep what they may read from being reused. -ETIMEDOUT, STATUS_TIMEOUT when busy.
 */
int blobfs_lock_writer(const struct file *f, unsigned timeout_ms);
int blobfs_lock_reader(const struct file *f, unsigned timeout_ms);

/* The superblock that could not be read, 'A' or 'B'. */
static inline char blobfs_unread(const struct blobfs *fs)
{
	return fs->unread & 1 ? 'A' : 'B';
}

/* Turns a result of the reader (enum blobfs_error, not 0) into a recorded error. */
int blobfs_failed(const struct blobfs *fs, const char *name, int error);

#endif
