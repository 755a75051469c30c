/* SPDX-License-Identifier: MIT */
#include "cli/collect.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <unistd.h>

#define TAR_BLOCK ((uint64_t)512)
#define TAR_END   (2 * TAR_BLOCK) /* an archive ends with two blocks of zeros */
#define PIECE     65536

int collect_open(struct collect *c, const char *path)
{
	*c = COLLECT_NONE;
	int r = output_open(&c->output, path, 0644, false);
	if (r == 0)
		r = file_scratch(&c->disk, path);
	if (r == 0 && ftruncate(c->disk.fd, (off_t)COLLECT_SIZE) < 0)
		r = error_errno("%s: cannot make room for it", path);
	c->disk.size = COLLECT_SIZE;
	if (r < 0)
		collect_close(c);
	return r;
}

void collect_close(struct collect *c)
{
	file_close(&c->disk);
	output_close(&c->output);
}

/* One past the last byte that is not zero; 0 if there is none. Holes are not read. */
static int find_end(const struct file *f, uint64_t *end)
{
	uint8_t piece[PIECE];
	size_t n = 1;
	*end = 0;
	for (off_t at = lseek(f->fd, 0, SEEK_DATA); at >= 0 && n;
		at = lseek(f->fd, at + (off_t)n, SEEK_DATA)) {
		int r = file_read_some(f, piece, sizeof piece, (uint64_t)at, &n);
		if (r < 0)
			return r;
		for (size_t i = n; i > 0; i--)
			if (piece[i - 1]) {
				*end = (uint64_t)at + i;
				break;
			}
	}
	return 0;
}

/* Whether the whole of F reads as tar. The guest made it: libarchive is what looks. */
static int check_tar(const struct file *f)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int r;
	if (!a)
		return error_memory();
	archive_read_support_format_tar(a);
	if (lseek(f->fd, 0, SEEK_SET) < 0)
		r = error_errno("%s: cannot seek", f->name);
	else if (archive_read_open_fd(a, f->fd, PIECE) != ARCHIVE_OK)
		r = ARCHIVE_FATAL;
	else
		while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK)
			;
	if (r != ARCHIVE_EOF)
		r = error_format("%s: what the guest wrote is no complete tar archive: "
				 "%s",
			f->name, archive_error_string(a) ? archive_error_string(a) : "?");
	archive_read_free(a);
	return r == ARCHIVE_EOF ? 0 : r;
}

int collect_finish(struct collect *c)
{
	struct file *to = &c->output.file;
	uint64_t end;
	int r = find_end(&c->disk, &end);
	if (r == 0 && end == 0)
		return error_set(STATUS_FAILED, ENODATA,
			"%s: the guest wrote nothing to the disk " COLLECT_SERIAL,
			c->output.path);
	if (r < 0 || (r = check_tar(&c->disk)) < 0)
		return r;
	uint64_t size = (end + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK + TAR_END;
	if (ftruncate(to->fd, (off_t)size) < 0)
		return error_errno("%s: cannot make it %ju bytes long", c->output.path,
			(uintmax_t)size);
	to->size = size;
	r = file_copy(
		&c->disk, 0, to, 0, size < COLLECT_SIZE ? size : COLLECT_SIZE, true);
	return r < 0 ? r : output_commit(&c->output);
}
