/* SPDX-License-Identifier: MIT */
#include "verifier/squashfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUPER_SIZE   96
#define MAGIC        0x73717368u
#define AS_IT_IS     0x8000u /* in a metadata block's header: not packed */
#define NONE         UINT32_MAX
#define EXTENDED     7
#define NAME_MAX_    256
#define IDS_IN_BLOCK 512 /* fragment entries of 16 bytes in a block of metadata */

static int bad(const struct squashfs *s, const char *what, uint64_t at)
{
	return error_format("%s: offset %ju: squashfs: %s", s->file->name,
		(uintmax_t)(s->offset + at), what);
}

static int get_raw(
	const struct squashfs *s, const char *what, uint64_t at, void *data, size_t size)
{
	if (at > s->size || size > s->size - at)
		return bad(s, what, at);
	return file_read(s->file, data, size, s->offset + at);
}

static void load_super(struct squashfs *s, const uint8_t *d)
{
	s->n_inodes = get_le32(d + 4);
	s->block_size = get_le32(d + 12);
	s->n_fragments = get_le32(d + 16);
	s->compressor = get_le16(d + 20);
	s->flags = get_le16(d + 24);
	s->n_ids = get_le16(d + 26);
	s->root = get_le64(d + 32);
	s->ids = get_le64(d + 48);
	s->xattrs = get_le64(d + 56);
	s->inodes = get_le64(d + 64);
	s->directories = get_le64(d + 72);
	s->fragments = get_le64(d + 80);
	s->exports = get_le64(d + 88);
}

int squashfs_open(
	struct squashfs *s, const struct file *f, uint64_t offset, uint64_t size)
{
	uint8_t d[SUPER_SIZE];
	*s = (struct squashfs){.file = f, .offset = offset, .size = size};
	int r = get_raw(s, "no room for a superblock", 0, d, sizeof d);
	if (r < 0)
		return r;
	load_super(s, d);
	if (get_le32(d) != MAGIC || get_le16(d + 28) != 4)
		return bad(s, "no superblock of version 4", 0);
	if (!is_power_of_two(s->block_size) || s->block_size < 4096 ||
		s->block_size > 1 << 20)
		return bad(s, "absurd block size", 12);
	if (get_le64(d + 40) < s->size)
		s->size = get_le64(d + 40);
	if (s->size < SUPER_SIZE)
		return bad(s, "no room for a superblock", 40);
	if (s->inodes > s->directories || s->directories > s->size)
		return bad(s, "tables outside the file system", 64);
	s->cache = malloc(SQUASHFS_CACHE * sizeof *s->cache);
	if (!s->cache)
		return error_memory();
	for (size_t i = 0; i < SQUASHFS_CACHE; i++)
		s->cache[i].place = UINT64_MAX;
	/* Each block is unpacked about once; a few times for those that alternate. */
	s->budget = s->size / 64 + 65536;
	return 0;
}

void squashfs_close(struct squashfs *s)
{
	free(s->cache);
	s->cache = NULL;
}

/* ---- metadata ---------------------------------------------------------------------- */

/* Reads and unpacks the block at PLACE; its stored size is known even if that fails. */
static int load_block(struct squashfs *s, uint64_t place, struct squashfs_block *b)
{
	uint8_t header[2], packed[SQUASHFS_METADATA];
	b->place = UINT64_MAX;
	b->stored = 0;
	if (s->budget == 0)
		return bad(s, "tables that never end", place);
	s->budget--;
	int r = get_raw(s, "a table outside the file system", place, header, 2);
	if (r < 0)
		return r;
	uint32_t word = get_le16(header), stored = word & (AS_IT_IS - 1);
	if (stored == 0 || stored > SQUASHFS_METADATA)
		return bad(s, "a block of metadata with an absurd size", place);
	r = get_raw(s, "a table outside the file system", place + 2, packed, stored);
	if (r < 0)
		return r;
	b->stored = 2 + stored;
	size_t n = stored;
	if (word & AS_IT_IS)
		memcpy(b->data, packed, stored);
	else
		r = squashfs_unpack(s->compressor, span_of(packed, stored), b->data,
			sizeof b->data, &n);
	if (r > 0)
		return error_set(STATUS_FORMAT, EOPNOTSUPP,
			"%s: squashfs: compressor %u is not supported", s->file->name,
			s->compressor);
	if (r < 0)
		return bad(s, "a block of metadata that does not unpack", place);
	b->size = (uint32_t)n;
	b->place = place;
	return 0;
}

static int get_block(struct squashfs *s, struct squashfs_cursor *c,
	const struct squashfs_block **block)
{
	size_t slot = (size_t)((c->place * UINT64_C(0x9e3779b97f4a7c15)) >> 32) %
		      SQUASHFS_CACHE;
	struct squashfs_block *b = &s->cache[slot];
	/* A free slot has the place UINT64_MAX; so can a reference. */
	bool loaded = b->place == c->place && c->place < s->size;
	int r = loaded ? 0 : load_block(s, c->place, b);
	/* Damaged ones too: that is where the thing is. */
	if (c->touched && b->stored) {
		int t = c->touched(c->context, c->place, b->stored);
		r = r < 0 ? r : t;
	}
	*block = b;
	return r;
}

int squashfs_get(struct squashfs *s, struct squashfs_cursor *c, void *data, size_t size)
{
	uint8_t *to = data;
	while (size) {
		const struct squashfs_block *b;
		int r = get_block(s, c, &b);
		if (r < 0)
			return r;
		if (c->at > b->size)
			return bad(
				s, "a reference behind the end of its block", c->place);
		size_t n = b->size - c->at < size ? b->size - c->at : size;
		memcpy(to, b->data + c->at, n);
		to += n;
		size -= n;
		c->at += (uint32_t)n;
		if (c->at == b->size && b->size < SQUASHFS_METADATA && size)
			return bad(s, "a table that ends too early", c->place);
		if (c->at == b->size) {
			c->place += b->stored;
			c->at = 0;
		}
	}
	return 0;
}

/* ---- inodes ------------------------------------------------------------------------ */

static void load_directory(const struct squashfs *s, struct squashfs_inode *i,
	const uint8_t *d, bool extended)
{
	uint64_t block = get_le32(d + (extended ? 8 : 0));
	uint32_t size = extended ? get_le32(d + 4) : get_le16(d + 8);
	i->listing = s->directories + block;
	i->listing_at = get_le16(d + (extended ? 18 : 10));
	i->size = size > 3 ? size - 3 : 0; /* "." and ".." count for 3 */
	i->xattr = extended ? get_le32(d + 20) : NONE;
}

static void load_file(const struct squashfs *s, struct squashfs_inode *i,
	const uint8_t *d, bool extended)
{
	i->blocks = extended ? get_le64(d) : get_le32(d);
	i->fragment = get_le32(d + (extended ? 28 : 4));
	i->fragment_at = get_le32(d + (extended ? 32 : 8));
	i->size = extended ? get_le64(d + 8) : get_le32(d + 12);
	i->xattr = extended ? get_le32(d + 36) : NONE;
	i->n_blocks = i->fragment == NONE ? u64_div_up(i->size, s->block_size)
					  : i->size / s->block_size;
}

/* What comes at different places: D is behind the common part. */
static void load_rest(struct squashfs_inode *i, const uint8_t *d, bool extended)
{
	if (i->type == SQUASHFS_DIR)
		i->n_links = get_le32(d + (extended ? 0 : 4));
	else if (i->type == SQUASHFS_FILE)
		i->n_links = extended ? get_le32(d + 24) : 1;
	else
		i->n_links = get_le32(d);
	if (i->type == SQUASHFS_BLOCK || i->type == SQUASHFS_CHAR)
		i->rdev = get_le32(d + 4);
}

int squashfs_inode(struct squashfs *s, uint64_t reference,
	int (*touched)(void *context, uint64_t place, uint32_t stored), void *context,
	struct squashfs_inode *inode)
{
	/* Behind the common 16 bytes, by type; symbolic links' targets not counted. */
	static const uint8_t sizes[] = {
		0, 16, 16, 8, 8, 8, 4, 4, 24, 40, 8, 12, 12, 8, 8};
	uint8_t d[16 + 40];
	struct squashfs_cursor c = {.place = s->inodes + (reference >> 16),
		.at = reference & 0xffff,
		.touched = touched,
		.context = context};
	if (reference >> 16 >= s->directories - s->inodes)
		return bad(s, "an inode outside its table", c.place);
	uint64_t place = c.place;
	int r = squashfs_get(s, &c, d, 16);
	unsigned type = r < 0 ? 0 : get_le16(d);
	if (r == 0 && (type == 0 || type >= sizeof sizes))
		return bad(s, "an inode of no known type", place);
	if (r == 0)
		r = squashfs_get(s, &c, d + 16, sizes[type]);
	if (r < 0)
		return r;
	bool extended = type > EXTENDED;
	*inode = (struct squashfs_inode){.type = extended ? type - EXTENDED : type,
		.mode = get_le16(d + 2),
		.uid = get_le16(d + 4),
		.gid = get_le16(d + 6),
		.mtime = get_le32(d + 8),
		.number = get_le32(d + 12),
		.fragment = NONE,
		.xattr = NONE,
		.behind = c};
	load_rest(inode, d + 16, extended);
	if (inode->type == SQUASHFS_DIR)
		load_directory(s, inode, d + 16, extended);
	else if (inode->type == SQUASHFS_FILE)
		load_file(s, inode, d + 16, extended);
	else if (inode->type == SQUASHFS_SYMLINK)
		inode->target_size = get_le32(d + 20);
	else if (extended)
		inode->xattr = get_le32(d + 16 + sizes[type] - 4);
	return 0;
}

/* ---- directories ------------------------------------------------------------------- */

struct listing {
	struct squashfs *s;
	struct squashfs_cursor c;
	uint64_t left; /* bytes of the listing */
};

static int take(struct listing *l, void *data, size_t size)
{
	if (size > l->left)
		return bad(l->s, "a directory that ends inside an entry", l->c.place);
	l->left -= size;
	return squashfs_get(l->s, &l->c, data, size);
}

static uint32_t sign_extend(uint16_t v)
{
	return v | (v & 0x8000 ? 0xffff0000u : 0);
}

/* One header, and the entries that it is for. */
static int list_part(struct listing *l,
	int (*found)(void *context, const struct squashfs_entry *entry), void *context)
{
	uint8_t h[12], d[8], name[NAME_MAX_];
	int r = take(l, h, sizeof h);
	uint32_t count = r < 0 ? 0 : get_le32(h);
	if (r == 0 && count > 255)
		return bad(l->s, "a directory header with too many entries", l->c.place);
	for (uint32_t i = 0; r == 0 && i <= count; i++) {
		r = take(l, d, sizeof d);
		size_t size = r < 0 ? 0 : (size_t)get_le16(d + 6) + 1;
		if (r == 0 && size > NAME_MAX_)
			return bad(l->s, "a name that is too long", l->c.place);
		if (r == 0)
			r = take(l, name, size);
		if (r < 0)
			return r;
		const struct squashfs_entry e = {.name = span_of(name, size),
			.reference = (uint64_t)get_le32(h + 4) << 16 | get_le16(d),
			.number = get_le32(h + 8) + sign_extend(get_le16(d + 2))};
		if (memchr(name, '/', size) || memchr(name, 0, size))
			return bad(l->s, "a name with a slash or a NUL", l->c.place);
		r = found(context, &e);
	}
	return r;
}

int squashfs_list(struct squashfs *s, const struct squashfs_inode *dir,
	int (*touched)(void *context, uint64_t place, uint32_t stored),
	int (*found)(void *context, const struct squashfs_entry *entry), void *context)
{
	struct listing l = {.s = s, .left = dir->size};
	l.c = (struct squashfs_cursor){.place = dir->listing,
		.at = dir->listing_at,
		.touched = touched,
		.context = context};
	int r = 0;
	while (r == 0 && l.left)
		r = list_part(&l, found, context);
	return r;
}

/* ---- fragments --------------------------------------------------------------------- */

int squashfs_fragment(
	struct squashfs *s, uint32_t number, uint64_t *place, uint32_t *stored)
{
	uint8_t d[16];
	if (number >= s->n_fragments || s->fragments >= s->size)
		return bad(s, "a fragment that is not in the table", s->fragments);
	int r = get_raw(s, "the fragment table is outside the file system",
		s->fragments + 8 * (uint64_t)(number / IDS_IN_BLOCK), d, 8);
	if (r < 0)
		return r;
	struct squashfs_cursor c = {
		.place = get_le64(d), .at = number % IDS_IN_BLOCK * 16};
	r = squashfs_get(s, &c, d, sizeof d);
	*place = get_le64(d);
	*stored = get_le32(d + 8);
	return r;
}
