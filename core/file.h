/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_FILE_H
#define CAIRN_CORE_FILE_H

#include <stdbool.h>

#include "core/buffer.h"

/*
 * Open files, and the only ways this tree opens one: a path is looked at through O_PATH
 * first, so that a FIFO, a tape or a terminal is refused without being opened.
 * Sizes and offsets are in bytes. Every failure is recorded with the file's name and,
 * where there is one, the offset.
 */
struct file {
	int fd;         /* owned; -1 when closed */
	uint64_t size;  /* of the file or of the block device, when it was opened */
	bool is_device; /* a block device, else a regular file */
	char *name;     /* owned; for messages */
};

#define FILE_CLOSED ((struct file){.fd = -1})
#define AUTO_FILE   __attribute__((cleanup(file_close))) struct file

/* Opens a regular file for reading. Anything else: -EINVAL, STATUS_FORMAT. */
int file_open(struct file *f, const char *path);

/* The same for a regular file or a block device; FLAGS: O_RDONLY or O_RDWR, O_EXCL... */
int file_open_image(struct file *f, const char *path, int flags);

/* As file_open, below the directory DIRFD, without following a last symbolic link. */
int file_open_at(struct file *f, int dirfd, const char *name);

/* Wraps FD, which the struct then owns; FD is closed on failure too. */
int file_from_fd(struct file *f, int fd, const char *name);

/* Closes; may be called twice. */
void file_close(struct file *f);

/* Read or write exactly SIZE bytes at OFFSET; a short file is -EIO, STATUS_FORMAT. */
int file_read(const struct file *f, void *data, size_t size, uint64_t offset);
int file_write(const struct file *f, const void *data, size_t size, uint64_t offset);

/* Reads at most SIZE bytes at OFFSET; returns 0 and the count, short only at the end. */
int file_read_some(
	const struct file *f, void *data, size_t size, uint64_t offset, size_t *n_read);

/*
 * As file_read, but what the disk cannot give (EIO) does not end it: units of UNIT bytes
 * from OFFSET on that have a part of it become zeros. MISSING has one element per unit.
 * Returns 1 if there are such, 0 if there are none.
 */
int file_salvage(const struct file *f, void *data, size_t size, uint64_t offset,
	size_t unit, bool *missing);

/*
 * Lets the kernel begin to write SIZE bytes at OFFSET to disk, so that a later fsync has
 * less to wait for. Only a wish.
 */
void file_flush_early(const struct file *f, uint64_t offset, uint64_t size);

/*
 * Copies SIZE bytes. With SKIP_ZEROS blocks of zeros are not written: the target must
 * already be zero there, as a new file is. progress_add is told of the bytes done.
 */
int file_copy(const struct file *from, uint64_t from_offset, const struct file *to,
	uint64_t to_offset, uint64_t size, bool skip_zeros);

/*
 * The same to a new file, for a disk that fails: blocks that it cannot give become zeros.
 */
int file_copy_salvaged(const struct file *from, const struct file *to, uint64_t size);

/*
 * The contents of FROM as those of TO, which is empty: by reference where the file system
 * can, else piece by piece.
 */
int file_clone(const struct file *from, const struct file *to);

/* The whole of a regular file of at most LIMIT bytes is appended to B. */
int file_slurp(const char *path, size_t limit, struct buffer *b);

/* All that FD still gives (a pipe, say), at most LIMIT bytes, is appended to B. */
int file_slurp_fd(int fd, const char *name, size_t limit, struct buffer *b);

/*
 * A BSD lock (LOCK_SH or LOCK_EX), waiting at most TIMEOUT_MS; held until the file is
 * closed. -ETIMEDOUT, STATUS_TIMEOUT if another process keeps it.
 */
int file_lock(const struct file *f, int operation, unsigned timeout_ms);

/* A new anonymous file in memory with the contents S; usable as /proc/self/fd/N. */
int file_in_memory(struct file *f, const char *name, struct span s);

/* An anonymous file in the directory of PATH (on its file system), open for writing. */
int file_scratch(struct file *f, const char *path);

#endif
