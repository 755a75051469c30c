/* SPDX-License-Identifier: MIT */
#include "core/undo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"

#define PREFIX 32 /* bytes of a header or record before the digest */
#define HEADER 64
#define MISSED 1 /* flag */

static const uint8_t magic[16] = "CAIRNUNDO";

struct record {
	uint64_t target, offset, size, flags;
};

static uint64_t target_size(const struct file *f)
{
	return f ? f->size : 0;
}

/* Fills in the digest over the first bytes of HEADER and CONTENTS. */
static int seal(uint8_t header[HEADER], const uint8_t *contents, size_t size)
{
	const struct span parts[] = {span_of(header, PREFIX), span_of(contents, size)};
	return hash_parts(HASH_SHA256, parts, 2, header + PREFIX);
}

int undo_create(
	struct undo *u, const char *path, const struct file *const targets[UNDO_TARGETS])
{
	uint8_t header[HEADER];
	*u = UNDO_CLOSED;
	memcpy(header, magic, sizeof magic);
	put_le64(header + 16, target_size(targets[0]));
	put_le64(header + 24, target_size(targets[1]));
	int r = seal(header, NULL, 0);
	if (r == 0)
		r = output_open(&u->output, path, 0600, false);
	if (r == 0)
		r = file_write(&u->output.file, header, sizeof header, 0);
	/* It has its name from now on: also if this process is killed. */
	if (r == 0)
		r = output_commit(&u->output);
	u->end = HEADER;
	return r;
}

int undo_save(struct undo *u, unsigned target, const struct file *f, uint64_t offset,
	size_t size)
{
	uint8_t *bytes = malloc(HEADER + size);
	bool missing;
	if (!bytes)
		return error_memory();
	int r = file_salvage(f, bytes + HEADER, size, offset, size, &missing);
	if (r >= 0) {
		put_le64(bytes, target);
		put_le64(bytes + 8, offset);
		put_le64(bytes + 16, size);
		put_le64(bytes + 24, missing ? MISSED : 0);
		r = seal(bytes, bytes + HEADER, size);
	}
	if (r == 0)
		r = file_write(&u->output.file, bytes, HEADER + size, u->end);
	free(bytes);
	u->end += HEADER + size;
	u->n_blocks++;
	return r;
}

int undo_flush(const struct undo *u)
{
	if (fsync(u->output.file.fd) < 0)
		return error_errno("%s: cannot flush", u->output.path);
	return 0;
}

int undo_discard(struct undo *u)
{
	if (unlink(u->output.path) < 0)
		return error_errno("%s: cannot remove", u->output.path);
	return 0;
}

void undo_close(struct undo *u)
{
	output_close(&u->output);
}

static int check_header(
	const struct file *from, const struct file *const targets[UNDO_TARGETS])
{
	uint8_t header[HEADER], digest[PREFIX];
	int r = file_read(from, header, sizeof header, 0);
	memcpy(digest, header + PREFIX, sizeof digest);
	if (r == 0)
		r = seal(header, NULL, 0);
	if (r < 0)
		return r;
	if (memcmp(header, magic, sizeof magic) ||
		memcmp(digest, header + PREFIX, sizeof digest))
		return error_format("%s: is no backup of a repair", from->name);
	for (unsigned i = 0; i < UNDO_TARGETS; i++)
		if (get_le64(header + 16 + 8 * i) != target_size(targets[i]))
			return error_format("%s: was made for other files: sizes of %ju "
					    "and %ju bytes",
				from->name, (uintmax_t)get_le64(header + 16),
				(uintmax_t)get_le64(header + 24));
	return 0;
}

/* The record at AT. Returns 1 if there is none, or not all of it. */
static int read_record(
	const struct file *from, uint64_t at, struct record *x, uint8_t *contents)
{
	uint8_t header[HEADER], digest[PREFIX];
	size_t n;
	int r = file_read_some(from, header, sizeof header, at, &n);
	if (r < 0 || n < sizeof header)
		return r < 0 ? r : 1;
	*x = (struct record){get_le64(header), get_le64(header + 8),
		get_le64(header + 16), get_le64(header + 24)};
	if (x->size == 0 || x->size > UNDO_SIZE_MAX)
		return 1;
	r = file_read_some(from, contents, x->size, at + HEADER, &n);
	if (r < 0 || n < x->size)
		return r < 0 ? r : 1;
	memcpy(digest, header + PREFIX, sizeof digest);
	r = seal(header, contents, x->size);
	return r < 0 ? r : memcmp(digest, header + PREFIX, sizeof digest) != 0;
}

static int check_record(const struct file *from, const struct record *x,
	const struct file *const targets[UNDO_TARGETS])
{
	uint64_t end;
	if (x->target < UNDO_TARGETS && targets[x->target] &&
		!u64_add(x->offset, x->size, &end) && end <= targets[x->target]->size)
		return 0;
	return error_format("%s: has a block at offset %ju, which is outside of the file",
		from->name, (uintmax_t)x->offset);
}

/* Where the records are. */
static int find_records(const struct file *from,
	const struct file *const targets[UNDO_TARGETS], uint8_t *contents,
	uint64_t **places, uint64_t *n)
{
	uint64_t capacity = 0, at = HEADER;
	struct record x;
	int r;
	while ((r = read_record(from, at, &x, contents)) == 0) {
		if ((r = check_record(from, &x, targets)) < 0)
			break;
		if (*n == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			uint64_t *more = reallocarray(*places, capacity, sizeof *more);
			if (!more)
				return error_memory();
			*places = more;
		}
		(*places)[(*n)++] = at;
		at += HEADER + x.size;
	}
	return r < 0 ? r : 0;
}

static int put_back(const struct file *from,
	const struct file *const targets[UNDO_TARGETS], uint64_t at, uint8_t *contents)
{
	struct record x;
	int r = read_record(from, at, &x, contents);
	if (r == 0)
		r = check_record(from, &x, targets);
	if (r > 0)
		return error_format("%s: changed while it was read", from->name);
	if (r < 0 || (x.flags & MISSED))
		return r;
	return file_write(targets[x.target], contents, x.size, x.offset);
}

int undo_apply(const struct file *from, const struct file *const targets[UNDO_TARGETS],
	uint64_t *n)
{
	uint64_t *places = NULL;
	uint8_t *contents = malloc(UNDO_SIZE_MAX);
	*n = 0;
	int r = contents ? check_header(from, targets) : error_memory();
	if (r == 0)
		r = find_records(from, targets, contents, &places, n);
	for (uint64_t i = *n; r == 0 && i-- > 0;)
		r = put_back(from, targets, places[i], contents);
	for (unsigned i = 0; r == 0 && i < UNDO_TARGETS; i++)
		if (targets[i] && fsync(targets[i]->fd) < 0)
			r = error_errno("%s: cannot flush", targets[i]->name);
	free(places);
	free(contents);
	return r;
}
