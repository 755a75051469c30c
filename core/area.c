/* SPDX-License-Identifier: MIT */
#include "core/area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/interrupt.h"

static int open_existing(struct area *a, const char *path)
{
	int r = file_open_image(&a->existing, path, O_RDWR);
	if (r < 0)
		return r;
	a->kind = a->existing.is_device ? AREA_DEVICE : AREA_PART;
	return a->kind == AREA_DEVICE ? 0 : file_scratch(&a->scratch, path);
}

int area_open(
	struct area *a, const char *path, uint64_t offset, bool in_place, bool replace)
{
	*a = AREA_CLOSED;
	a->offset = offset;
	struct stat st;
	bool exists = stat(path, &st) == 0;
	if (exists && (in_place || S_ISBLK(st.st_mode)))
		return open_existing(a, path);
	/* An empty file is what mktemp leaves; nothing is lost with it. */
	bool empty = exists && S_ISREG(st.st_mode) && st.st_size == 0;
	return output_open(&a->output, path, 0666, replace || empty);
}

const struct file *area_file(const struct area *a)
{
	if (a->kind == AREA_NEW)
		return &a->output.file;
	return a->kind == AREA_PART ? &a->scratch : &a->existing;
}

uint64_t area_offset(const struct area *a)
{
	return a->kind == AREA_PART ? 0 : a->offset;
}

const struct file *area_existing(const struct area *a)
{
	return a->kind == AREA_NEW ? NULL : &a->existing;
}

/* Space is taken before the first byte is changed; growth is undone if that fails. */
static int commit_part(struct area *a, uint64_t size)
{
	uint64_t end;
	if (u64_add(a->offset, size, &end) || end > INT64_MAX)
		return error_format("%s: offset %ju is out of range", a->existing.name,
			(uintmax_t)a->offset);
	int r = interrupt_check();
	int err = r < 0 || size == 0 ? 0
				     : posix_fallocate(a->existing.fd, (off_t)a->offset,
					       (off_t)size);
	if (err && err != EOPNOTSUPP && err != EINVAL) {
		errno = err;
		r = error_errno("%s: no room for %ju bytes at offset %ju",
			a->existing.name, (uintmax_t)size, (uintmax_t)a->offset);
	}
	if (r == 0)
		r = file_copy(&a->scratch, 0, &a->existing, a->offset, size, false);
	if (r < 0 && end > a->existing.size &&
		ftruncate(a->existing.fd, (off_t)a->existing.size) < 0)
		return error_errno("%s: cannot shorten to what it was", a->existing.name);
	return r;
}

int area_commit(struct area *a, uint64_t size)
{
	int r = 0;
	if (a->kind == AREA_NEW) {
		uint64_t end = a->offset + size;
		/* A tree may have no blocks at all; the file still ends where it would.
		 */
		if (ftruncate(a->output.file.fd, (off_t)end) < 0)
			return error_errno("%s: cannot set its size", a->output.path);
		r = interrupt_check();
		return r < 0 ? r : output_commit(&a->output);
	}
	if (a->kind == AREA_PART)
		r = commit_part(a, size);
	if (r == 0 && fsync(a->existing.fd) < 0)
		r = error_errno("%s: cannot flush", a->existing.name);
	return r;
}

void area_close(struct area *a)
{
	output_close(&a->output);
	file_close(&a->existing);
	file_close(&a->scratch);
}
