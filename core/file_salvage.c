/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/interrupt.h"

/*
 * Reads on from *DONE as far as one request gets. Returns 1 if the disk could not; what
 * else can go wrong is left to a plain read, which has the sentences for it.
 */
static int read_on(
	const struct file *f, uint8_t *data, size_t size, uint64_t offset, size_t *done)
{
	ssize_t n;
	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return file_read(f, data, size, offset);
	do
		n = pread(f->fd, data + *done, size - *done, (off_t)(offset + *done));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EIO)
		return 1;
	if (n <= 0)
		return file_read(f, data + *done, size - *done, offset + *done);
	*done += (size_t)n;
	return 0;
}

/* SIZE bytes, all or nothing. */
static int read_unit(const struct file *f, uint8_t *data, size_t size, uint64_t offset)
{
	int r = interrupt_check();
	for (size_t done = 0; r == 0 && done < size;)
		r = read_on(f, data, size, offset, &done);
	if (r > 0)
		memset(data, 0, size);
	return r;
}

int file_salvage(const struct file *f, void *data, size_t size, uint64_t offset,
	size_t unit, bool *missing)
{
	uint8_t *bytes = data;
	bool some = false;
	memset(missing, 0, (size + unit - 1) / unit);
	for (size_t done = 0; done < size;) {
		int r = read_on(f, bytes, size, offset, &done);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		/* All of a request fails where only some of it is bad. */
		size_t at = done / unit * unit;
		size_t here = size - at < unit ? size - at : unit;
		r = read_unit(f, bytes + at, here, offset + at);
		if (r < 0)
			return r;
		if (r > 0) {
			missing[at / unit] = true;
			some = true;
		}
		done = at + here;
	}
	return some;
}
