/* SPDX-License-Identifier: MIT */
#include "builder/tar_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/acl.h"
#include "core/progress.h"

#define BLOCK 512

/* The header of POSIX.1-2017, pax: "ustar Interchange Format". */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char target[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char unused[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* The largest size eleven octal digits hold. */
#define SIZE_MAX_OCTAL 077777777777

struct stream {
	const struct tree *tree;
	bool with_acls;
	size_t skip; /* bytes of a path up to the root of what is written */
	int fd;
	size_t *first; /* by first_name: 1 + the first name that was written; 0: none */
	uint64_t at;   /* in the file that is being written */
};

static int put(const struct stream *s, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(s->fd, (const char *)data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno("%s: cannot be handed on", s->tree->name);
		done += (size_t)n;
	}
	return 0;
}

static int put_zeros(const struct stream *s, uint64_t size)
{
	static const char zeros[1 << 18];
	int r = 0;
	for (; r == 0 && size; size -= size < sizeof zeros ? size : sizeof zeros)
		r = put(s, zeros, size < sizeof zeros ? (size_t)size : sizeof zeros);
	return r;
}

static int pad(const struct stream *s, uint64_t size)
{
	return put_zeros(s, -size % BLOCK);
}

/* A record is "LENGTH KEY=VALUE\n" and the length counts its own digits. */
static int add_record(struct buffer *b, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, length = rest + 1;
	for (size_t digits = 1, limit = 10; length >= limit; limit *= 10)
		length = rest + ++digits;
	int r = buffer_printf(b, "%zu %s=", length, key);
	if (r == 0)
		r = buffer_append(b, value, size);
	return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int add_text(struct buffer *b, const char *key, const char *value)
{
	return add_record(b, key, value, strlen(value));
}

static int add_number(struct buffer *b, const char *key, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%ju", (uintmax_t)value);
	return add_text(b, key, text);
}

static int add_xattrs(
	const struct stream *s, struct buffer *b, const struct tree_entry *e)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < e->n_xattrs; i++) {
		if (!s->with_acls && !strncmp(e->xattrs[i].name, "system.", 7))
			continue;
		BUFFER key = {0};
		r = buffer_printf(&key, "SCHILY.xattr.%s", e->xattrs[i].name);
		if (r == 0)
			r = add_record(b, buffer_text(&key), e->xattrs[i].value,
				e->xattrs[i].size);
	}
	return r;
}

static const char *path_in_stream(const struct stream *s, const struct tree_entry *e)
{
	return strlen(e->path) > s->skip ? e->path + s->skip : ".";
}

/* Octal digits with leading zeros and a NUL; VALUE fits by what the caller checked. */
static void octal(char *field, size_t size, uint64_t value)
{
	field[--size] = 0;
	while (size--) {
		field[size] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

static int put_header(const struct stream *s, struct header *h)
{
	memcpy(h->name, "-", 2);
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->checksum, ' ', sizeof h->checksum);
	unsigned sum = 0;
	for (size_t i = 0; i < sizeof *h; i++)
		sum += ((const uint8_t *)h)[i];
	snprintf(h->checksum, sizeof h->checksum, "%06o", sum);
	return put(s, h, sizeof *h);
}

static int put_records(const struct stream *s, const struct buffer *records)
{
	struct header h = {.type = 'x'};
	octal(h.mode, sizeof h.mode, 0);
	octal(h.uid, sizeof h.uid, 0);
	octal(h.gid, sizeof h.gid, 0);
	octal(h.size, sizeof h.size, records->size);
	octal(h.mtime, sizeof h.mtime, 0);
	int r = put_header(s, &h);
	if (r == 0)
		r = put(s, records->data, records->size);
	return r < 0 ? r : pad(s, records->size);
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

/* LINK: the path of the same file that came before, or NULL. */
static int add_records(const struct stream *s, struct buffer *b,
	const struct tree_entry *e, const char *link)
{
	char mtime[48];
	snprintf(mtime, sizeof mtime, "%jd.%09u", (intmax_t)e->mtime, e->mtime_ns);
	int r = add_text(b, "path", path_in_stream(s, e));
	if (r == 0 && link)
		return add_text(b, "linkpath", link);
	if (r == 0)
		r = add_text(b, "mtime", mtime);
	if (r == 0)
		r = add_number(b, "uid", e->uid);
	if (r == 0)
		r = add_number(b, "gid", e->gid);
	if (r == 0 && e->target)
		r = add_text(b, "linkpath", e->target);
	if (r == 0 && S_ISREG(e->mode) && e->size > SIZE_MAX_OCTAL)
		r = add_number(b, "size", e->size);
	return r < 0 ? r : add_xattrs(s, b, e);
}

static int put_headers(
	const struct stream *s, const struct tree_entry *e, const char *link)
{
	struct header h = {.type = link ? '1' : type_of(e->mode)};
	BUFFER records = {0};
	int r = add_records(s, &records, e, link);
	if (r == 0)
		r = put_records(s, &records);
	uint64_t size = S_ISREG(e->mode) && !link ? e->size : 0;
	mode_t mode = s->with_acls ? e->mode : acl_mode_without(e);
	octal(h.mode, sizeof h.mode, mode & 07777);
	octal(h.uid, sizeof h.uid, 0);
	octal(h.gid, sizeof h.gid, 0);
	octal(h.size, sizeof h.size, size > SIZE_MAX_OCTAL ? 0 : size);
	octal(h.mtime, sizeof h.mtime, 0);
	/* The record counts; but libarchive believes none beside an empty field. */
	const char *target = link ? link : e->target ? e->target : "";
	memcpy(h.target, target, strnlen(target, sizeof h.target));
	octal(h.major, sizeof h.major, e->major);
	octal(h.minor, sizeof h.minor, e->minor);
	return r < 0 ? r : put_header(s, &h);
}

static int put_piece(void *context, struct span data, uint64_t offset)
{
	struct stream *s = context;
	int r = put_zeros(s, offset - s->at);
	if (r == 0)
		r = put(s, data.data, data.size);
	s->at = offset + data.size;
	progress_add(data.size);
	return r;
}

static int put_entry(struct stream *s, size_t index)
{
	const struct tree_entry *e = &s->tree->entries[index];
	size_t *first = &s->first[e->first_name];
	if (*first)
		return put_headers(
			s, e, path_in_stream(s, &s->tree->entries[*first - 1]));
	*first = index + 1;
	int r = put_headers(s, e, NULL);
	if (r < 0 || !S_ISREG(e->mode))
		return r;
	s->at = 0;
	r = tree_stream(s->tree, e, put_piece, s);
	if (r == 0)
		r = put_zeros(s, e->size - s->at);
	return r < 0 ? r : pad(s, e->size);
}

int tar_stream_write(
	const struct tree *tree, const struct tree_entry *root, bool with_acls, int fd)
{
	struct stream s = {.tree = tree,
		.with_acls = with_acls,
		.fd = fd,
		.skip = root->path[0] ? strlen(root->path) + 1 : 0,
		.first = calloc(tree->n_entries, sizeof *s.first)};
	int r = s.first ? 0 : error_memory();
	size_t end = tree_end(tree, root);
	for (size_t i = (size_t)(root - tree->entries); r == 0 && i < end; i++)
		r = put_entry(&s, i);
	if (r == 0)
		r = put_zeros(&s, 2 * BLOCK);
	free(s.first);
	return r;
}
