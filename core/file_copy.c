/* SPDX-License-Identifier: MIT */
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/file.h"
#include "core/progress.h"
#include "core/zeros.h"

#define COPY_SIZE  ((size_t)1 << 20)
#define COPY_BLOCK ((size_t)4096) /* zeros are looked for in units of this */

/* Writes the runs of blocks that are not all zeros. */
static int write_nonzero(
	const struct file *f, const uint8_t *p, size_t size, uint64_t offset)
{
	int r = 0;
	for (size_t at = 0, end; r == 0 && at < size; at = end) {
		bool zero = true;
		size_t n = 0;
		for (end = at; end < size; end += n) {
			n = size - end < COPY_BLOCK ? size - end : COPY_BLOCK;
			bool this = is_zeros(span_of(p + end, n));
			if (end > at && this != zero)
				break;
			zero = this;
		}
		if (!zero)
			r = file_write(f, p + at, end - at, offset + at);
	}
	return r;
}

int file_copy(const struct file *from, uint64_t from_offset, const struct file *to,
	uint64_t to_offset, uint64_t size, bool skip_zeros)
{
	uint8_t *block = malloc(COPY_SIZE);
	int r = block ? 0 : error_memory();
	for (uint64_t at = 0; r == 0 && at < size;) {
		size_t n = size - at < COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
		r = file_read(from, block, n, from_offset + at);
		if (r == 0)
			r = skip_zeros ? write_nonzero(to, block, n, to_offset + at)
				       : file_write(to, block, n, to_offset + at);
		at += n;
		progress_add(n);
	}
	free(block);
	return r;
}

int file_copy_salvaged(const struct file *from, const struct file *to, uint64_t size)
{
	bool missing[COPY_SIZE / COPY_BLOCK];
	uint8_t *block = malloc(COPY_SIZE);
	int r = block ? 0 : error_memory();
	for (uint64_t at = 0; r >= 0 && at < size; at += COPY_SIZE) {
		size_t n = size - at < COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
		r = file_salvage(from, block, n, at, COPY_BLOCK, missing);
		if (r >= 0)
			r = write_nonzero(to, block, n, at);
		progress_add(n);
	}
	free(block);
	return r < 0 ? r : 0;
}

int file_clone(const struct file *from, const struct file *to)
{
	if (ioctl(to->fd, FICLONE, from->fd) == 0)
		return 0;
	return file_copy(from, 0, to, 0, from->size, false);
}
