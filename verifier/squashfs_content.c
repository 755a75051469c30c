/* SPDX-License-Identifier: MIT */
/* What is in files of squashfs: bytes, targets, owners, attributes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/squashfs.h"

#define IN_BLOCK_IDS    2048 /* owners in a block of metadata */
#define IN_BLOCK_XATTRS 512  /* sets of attributes */
#define TARGET_MAX      4095
#define VALUE_MAX       65536
#define ELSEWHERE       0x100 /* of an attribute's type: the value is a reference */

static int bad(const struct squashfs *s, const char *what, uint64_t number)
{
	return error_format(
		"%s: squashfs: %s %ju", s->file->name, what, (uintmax_t)number);
}

/* Entry NUMBER of SIZE bytes of a table whose blocks' places are listed at LIST. */
static int get_entry(struct squashfs *s, uint64_t list, uint32_t number,
	uint32_t in_block, void *entry, uint32_t size)
{
	uint8_t d[8];
	uint64_t at = list + 8 * (uint64_t)(number / in_block);
	if (list > s->size || at > s->size - sizeof d)
		return bad(s, "a table outside the file system, entry", number);
	int r = file_read(s->file, d, sizeof d, s->offset + at);
	struct squashfs_cursor c = {.place = get_le64(d), .at = number % in_block * size};
	return r < 0 ? r : squashfs_get(s, &c, entry, size);
}

int squashfs_id(struct squashfs *s, uint16_t number, uint32_t *id)
{
	uint8_t d[4];
	if (number >= s->n_ids)
		return bad(s, "there is no owner", number);
	int r = get_entry(s, s->ids, number, IN_BLOCK_IDS, d, sizeof d);
	*id = get_le32(d);
	return r;
}

int squashfs_target(
	struct squashfs *s, const struct squashfs_inode *inode, struct buffer *b)
{
	struct squashfs_cursor c = inode->behind;
	if (inode->target_size == 0 || inode->target_size > TARGET_MAX)
		return bad(s, "absurd length of the symbolic link", inode->number);
	int r = buffer_reserve(b, inode->target_size);
	if (r == 0)
		r = squashfs_get(s, &c, b->data + b->size, inode->target_size);
	if (r < 0)
		return r;
	if (memchr(b->data + b->size, 0, inode->target_size))
		return bad(s, "a NUL in the symbolic link", inode->number);
	b->size += inode->target_size;
	b->data[b->size] = 0;
	return 0;
}

/* ---- attributes -------------------------------------------------------------------- */

static int get_value(struct squashfs *s, struct squashfs_cursor *c, struct buffer *value)
{
	uint8_t d[4];
	int r = squashfs_get(s, c, d, sizeof d);
	if (r == 0 && get_le32(d) > VALUE_MAX)
		return bad(s, "an attribute too large, bytes", get_le32(d));
	if (r == 0)
		r = buffer_append_zeros(value, get_le32(d));
	return r < 0 ? r : squashfs_get(s, c, value->data, value->size);
}

/* A value that several attributes share is kept once, and referred to. */
static int follow(struct squashfs *s, uint64_t values, struct buffer *value)
{
	if (value->size != 8)
		return bad(s, "a reference to a value of bytes", value->size);
	uint64_t reference = get_le64(value->data);
	struct squashfs_cursor c = {
		.place = values + (reference >> 16), .at = reference & 0xffff};
	value->size = 0;
	return get_value(s, &c, value);
}

static int take_xattr(struct squashfs *s, struct squashfs_cursor *c, uint64_t values,
	int (*found)(void *context, const char *name, struct span value), void *context)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security."};
	uint8_t d[4];
	char name[300];
	BUFFER value = {0};
	int r = squashfs_get(s, c, d, sizeof d);
	unsigned type = r < 0 ? 0 : get_le16(d), size = r < 0 ? 0 : get_le16(d + 2);
	unsigned prefix = type & (ELSEWHERE - 1u);
	if (r < 0)
		return r;
	if (prefix >= sizeof prefixes / sizeof prefixes[0] || size > 255)
		return bad(s, "an attribute of unknown type", type);
	size_t start = strlen(prefixes[prefix]);
	memcpy(name, prefixes[prefix], start);
	r = squashfs_get(s, c, name + start, size);
	name[start + size] = 0;
	if (r == 0)
		r = get_value(s, c, &value);
	if (r == 0 && type & ELSEWHERE)
		r = follow(s, values, &value);
	/* Many can be one and the same large value, which is unpacked once. */
	uint64_t cost = value.size / SQUASHFS_METADATA;
	if (r == 0 && cost > s->budget)
		return bad(s, "attributes that never end, up to byte", c->place);
	s->budget -= r == 0 ? cost : 0;
	return r < 0 ? r : found(context, name, buffer_span(&value));
}

int squashfs_xattrs(struct squashfs *s, const struct squashfs_inode *inode,
	int (*found)(void *context, const char *name, struct span value), void *context)
{
	uint8_t table[16], d[16];
	if (inode->xattr == UINT32_MAX)
		return 0;
	if (s->xattrs > s->size || s->size - s->xattrs < sizeof table)
		return bad(s, "no attributes for inode", inode->number);
	int r = file_read(s->file, table, sizeof table, s->offset + s->xattrs);
	if (r == 0 && inode->xattr >= get_le32(table + 8))
		return bad(s, "there is no set of attributes", inode->xattr);
	if (r == 0)
		r = get_entry(s, s->xattrs + sizeof table, inode->xattr, IN_BLOCK_XATTRS,
			d, sizeof d);
	if (r < 0)
		return r;
	uint64_t values = get_le64(table), reference = get_le64(d);
	struct squashfs_cursor c = {
		.place = values + (reference >> 16), .at = reference & 0xffff};
	if (get_le32(d + 8) > VALUE_MAX)
		return bad(s, "too many attributes of inode", inode->number);
	for (uint32_t i = 0; r == 0 && i < get_le32(d + 8); i++)
		r = take_xattr(s, &c, values, found, context);
	return r;
}

/* ---- contents ---------------------------------------------------------------------- */

struct stream {
	struct squashfs *s;
	const struct squashfs_inode *inode;
	uint8_t *stored, *plain; /* a block each */
	int (*sink)(void *context, struct span data);
	void *context;
};

/* Reads the block at PLACE, with its SIZE as it is stored; *N bytes of it are plain. */
static int load(struct stream *x, uint64_t place, uint32_t size, size_t *n)
{
	uint32_t stored = SQUASHFS_STORED(size);
	const struct squashfs *s = x->s;
	if (stored > s->block_size || place > s->size || stored > s->size - place)
		return bad(s, "a block that makes no sense, of inode", x->inode->number);
	bool plain = size & SQUASHFS_UNPACKED;
	int r = file_read(
		s->file, plain ? x->plain : x->stored, stored, s->offset + place);
	*n = stored;
	if (r < 0 || plain)
		return r;
	r = squashfs_unpack(
		s->compressor, span_of(x->stored, stored), x->plain, s->block_size, n);
	return r ? bad(s, "a block that does not unpack, of inode", x->inode->number) : 0;
}

static int give_blocks(struct stream *x)
{
	struct squashfs_cursor c = x->inode->behind;
	uint64_t place = x->inode->blocks;
	int r = 0;
	for (uint64_t i = 0; r == 0 && i < x->inode->n_blocks; i++) {
		uint64_t left = x->inode->size - i * x->s->block_size;
		size_t wanted = left < x->s->block_size ? (size_t)left : x->s->block_size;
		size_t n = wanted;
		uint8_t d[4];
		r = squashfs_get(x->s, &c, d, sizeof d);
		if (r < 0)
			return r;
		if (SQUASHFS_STORED(get_le32(d)) == 0)
			memset(x->plain, 0, wanted);
		else
			r = load(x, place, get_le32(d), &n);
		if (r == 0 && n != wanted)
			return bad(x->s, "a block too short, of inode", x->inode->number);
		if (r == 0)
			r = x->sink(x->context, span_of(x->plain, wanted));
		place += SQUASHFS_STORED(get_le32(d));
	}
	return r;
}

static int give_fragment(struct stream *x)
{
	uint64_t place, length = x->inode->size % x->s->block_size;
	uint32_t stored;
	size_t n;
	int r = squashfs_fragment(x->s, x->inode->fragment, &place, &stored);
	if (r == 0)
		r = load(x, place, stored, &n);
	if (r < 0)
		return r;
	if (x->inode->fragment_at > n || length > n - x->inode->fragment_at)
		return bad(x->s, "outside its fragment: inode", x->inode->number);
	return x->sink(
		x->context, span_of(x->plain + x->inode->fragment_at, (size_t)length));
}

int squashfs_stream(struct squashfs *s, const struct squashfs_inode *inode,
	int (*sink)(void *context, struct span data), void *context)
{
	struct stream x = {.s = s, .inode = inode, .sink = sink, .context = context};
	x.stored = malloc(s->block_size);
	x.plain = malloc(s->block_size);
	int r = x.stored && x.plain ? give_blocks(&x) : error_memory();
	if (r == 0 && inode->fragment != UINT32_MAX)
		r = give_fragment(&x);
	free(x.stored);
	free(x.plain);
	return r;
}
