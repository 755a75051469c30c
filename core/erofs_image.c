/* SPDX-License-Identifier: MIT */
#include "core/erofs_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Long attribute prefixes, a device table and the like would change what we show. */
#define INCOMPAT_ZERO_PADDING  0x01u
#define INCOMPAT_COMPRESSION   0x02u
#define INCOMPAT_CHUNKS        0x04u
#define INCOMPAT_ZTAIL_PACKING 0x10u
#define INCOMPAT_FRAGMENTS     0x20u
#define INCOMPAT_KNOWN                                                    \
	(INCOMPAT_ZERO_PADDING | INCOMPAT_COMPRESSION | INCOMPAT_CHUNKS | \
		INCOMPAT_ZTAIL_PACKING | INCOMPAT_FRAGMENTS)
#define CHUNK_INDEXES 0x20u /* 8-byte chunk entries instead of 4-byte ones */

static uint64_t block_size(const struct erofs *e)
{
	return UINT64_C(1) << e->block_bits;
}

static int outside(const struct erofs *e, const char *what, uint64_t at)
{
	return error_format("%s: offset %ju: erofs: %s is outside the file system",
		e->file->name, (uintmax_t)(e->offset + at), what);
}

int erofs_fetch(const struct erofs *e, void *data, size_t size, uint64_t at)
{
	return e->read ? e->read(e->context, data, size, e->offset + at)
		       : file_read(e->file, data, size, e->offset + at);
}

/* Reads SIZE bytes at AT of the file system. */
static int get(
	const struct erofs *e, const char *what, uint64_t at, void *data, size_t size)
{
	if (at > e->size || size > e->size - at)
		return outside(e, what, at);
	return erofs_fetch(e, data, size, at);
}

/* What there is to know of the file system from its superblock. */
static int read_super(struct erofs *e)
{
	uint8_t s[EROFS_SUPER_SIZE];
	const struct file *f = e->file;
	uint64_t offset = e->offset;
	int r = get(e, "the superblock", EROFS_SUPER_OFFSET, s, sizeof s);
	if (r < 0)
		return r;
	e->block_bits = s[12];
	e->compatible = get_le32(s + 8);
	e->incompatible = get_le32(s + 80);
	if (get_le32(s) != EROFS_SUPER_MAGIC)
		return error_format("%s: offset %ju: no erofs superblock", f->name,
			(uintmax_t)(offset + EROFS_SUPER_OFFSET));
	if (e->block_bits < 9 || e->block_bits > 16)
		return error_format("%s: offset %ju: erofs with blocks of 2^%u bytes",
			f->name, (uintmax_t)(offset + EROFS_SUPER_OFFSET + 12),
			e->block_bits);
	if (e->incompatible & ~INCOMPAT_KNOWN)
		return error_set(STATUS_FORMAT, EOPNOTSUPP,
			"%s: offset %ju: erofs with unknown features 0x%x", f->name,
			(uintmax_t)(offset + EROFS_SUPER_OFFSET + 80),
			e->incompatible & ~INCOMPAT_KNOWN);
	e->root = get_le16(s + 14);
	e->n_inodes = get_le64(s + 16);
	e->epoch = (int64_t)get_le64(s + 24);
	e->epoch_ns = get_le32(s + 32);
	e->metadata = (uint64_t)get_le32(s + 40) << e->block_bits;
	e->shared_xattrs = (uint64_t)get_le32(s + 44) << e->block_bits;
	memcpy(e->uuid, s + 48, sizeof e->uuid);
	return 0;
}

int erofs_open(struct erofs *e, const struct file *f, uint64_t offset, uint64_t size)
{
	*e = (struct erofs){.file = f, .offset = offset, .size = size};
	return read_super(e);
}

int erofs_open_through(struct erofs *e, const struct file *f, uint64_t size,
	int (*read)(void *context, void *data, size_t size, uint64_t offset),
	void *context)
{
	*e = (struct erofs){.file = f, .read = read, .context = context, .size = size};
	return read_super(e);
}

/* ---- inodes ------------------------------------------------------------------------ */

static void parse_inode(
	const struct erofs *e, const uint8_t *i, struct erofs_inode *inode)
{
	bool extended = i[0] & 1;
	inode->layout = get_le16(i) >> 1 & 7;
	inode->mode = get_le16(i + 4);
	inode->start = get_le32(i + 16);
	inode->size = extended ? get_le64(i + 8) : get_le32(i + 8);
	inode->uid = extended ? get_le32(i + 24) : get_le16(i + 24);
	inode->gid = extended ? get_le32(i + 28) : get_le16(i + 26);
	inode->n_links = extended ? get_le32(i + 44) : get_le16(i + 6);
	inode->mtime = extended ? (int64_t)get_le64(i + 32) : e->epoch;
	inode->mtime_ns = extended ? get_le32(i + 40) : e->epoch_ns;
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		inode->major = major(inode->start);
		inode->minor = minor(inode->start);
	}
}

int erofs_inode(const struct erofs *e, uint64_t nid, struct erofs_inode *inode)
{
	uint8_t i[EROFS_INODE_EXTENDED];
	uint64_t at;
	*inode = (struct erofs_inode){.nid = nid};
	if (u64_mul(nid, EROFS_SLOT, &at) || u64_add(at, e->metadata, &at))
		return outside(e, "an inode", e->metadata);
	int r = get(e, "an inode", at, i, EROFS_INODE_COMPACT);
	bool extended = r == 0 && (i[0] & 1);
	if (extended)
		r = get(e, "an inode", at, i, EROFS_INODE_EXTENDED);
	if (r < 0)
		return r;
	parse_inode(e, i, inode);
	uint64_t icount = get_le16(i + 2);
	inode->xattrs = at + (extended ? EROFS_INODE_EXTENDED : EROFS_INODE_COMPACT);
	inode->xattr_size = icount ? EROFS_XATTR_HEADER_SIZE + (icount - 1) * 4 : 0;
	inode->behind = inode->xattrs + inode->xattr_size;
	if (inode->behind > e->size)
		return outside(e, "an inode's attributes", inode->xattrs);
	if (inode->size > INT64_MAX || (get_le16(i) >> 4) != 0)
		return error_format("%s: offset %ju: erofs: malformed inode %ju",
			e->file->name, (uintmax_t)(e->offset + at), (uintmax_t)nid);
	return 0;
}

/* ---- contents ---------------------------------------------------------------------- */

static int map_flat(const struct erofs *e, const struct erofs_inode *inode,
	uint64_t offset, uint64_t *place, uint64_t *length)
{
	uint64_t start = (uint64_t)inode->start << e->block_bits;
	uint64_t tail = inode->layout == EROFS_FLAT_INLINE
				? inode->size & ~(block_size(e) - 1)
				: inode->size;
	if (offset < tail) {
		*place = start + offset;
		*length = tail - offset;
	} else {
		*place = inode->behind + (offset - tail);
		*length = inode->size - offset;
	}
	return 0;
}

static int map_chunk(const struct erofs *e, const struct erofs_inode *inode,
	uint64_t offset, uint64_t *place, uint64_t *length)
{
	unsigned bits = e->block_bits + (inode->start & EROFS_CHUNK_BITS_MAX);
	uint32_t entry_size = inode->start & CHUNK_INDEXES ? 8 : 4;
	uint64_t inside = offset & ((UINT64_C(1) << bits) - 1);
	uint64_t table = (inode->behind + entry_size - 1) & ~(uint64_t)(entry_size - 1);
	uint8_t entry[8] = {0};
	int r = get(e, "a chunk's address", table + (offset >> bits) * entry_size, entry,
		entry_size);
	if (r < 0)
		return r;
	if (entry_size == 8 && get_le16(entry + 2) != 0)
		return error_set(STATUS_FORMAT, EOPNOTSUPP,
			"%s: erofs: a file on another device", e->file->name);
	uint32_t block = get_le32(entry_size == 8 ? entry + 4 : entry);
	uint64_t left = inode->size - offset, chunk = (UINT64_C(1) << bits) - inside;
	*length = left < chunk ? left : chunk;
	*place = block == EROFS_NULL_ADDR ? EROFS_HOLE
					  : ((uint64_t)block << e->block_bits) + inside;
	return 0;
}

int erofs_map(const struct erofs *e, const struct erofs_inode *inode, uint64_t offset,
	uint64_t *place, uint64_t *length)
{
	if (offset >= inode->size)
		return outside(e, "the end of a file", inode->behind);
	int r;
	if (inode->layout == EROFS_FLAT_PLAIN || inode->layout == EROFS_FLAT_INLINE)
		r = map_flat(e, inode, offset, place, length);
	else if (inode->layout == EROFS_CHUNK_BASED)
		r = map_chunk(e, inode, offset, place, length);
	else
		return error_set(STATUS_FORMAT, EOPNOTSUPP,
			"%s: erofs: inode %ju is compressed", e->file->name,
			(uintmax_t)inode->nid);
	if (r < 0 || *place == EROFS_HOLE)
		return r;
	if (*place >= e->size)
		return outside(e, "the contents of a file", *place);
	if (*length > e->size - *place)
		*length = e->size - *place;
	return 0;
}

int erofs_read(const struct erofs *e, const struct erofs_inode *inode, void *data,
	size_t size, uint64_t offset)
{
	uint8_t *to = data;
	while (size) {
		uint64_t place, length;
		int r = erofs_map(e, inode, offset, &place, &length);
		size_t n = length < size ? (size_t)length : size;
		if (r == 0 && place == EROFS_HOLE)
			memset(to, 0, n);
		else if (r == 0)
			r = get(e, "the contents of a file", place, to, n);
		if (r < 0)
			return r;
		to += n;
		offset += n;
		size -= n;
	}
	return 0;
}

int erofs_target(const struct erofs *e, const struct erofs_inode *inode, struct buffer *b)
{
	if (!S_ISLNK(inode->mode) || inode->size == 0 || inode->size > 4095)
		return error_format("%s: erofs: inode %ju: no symbolic link of 1 to 4095 "
				    "bytes",
			e->file->name, (uintmax_t)inode->nid);
	int r = buffer_reserve(b, (size_t)inode->size);
	if (r == 0)
		r = erofs_read(e, inode, b->data + b->size, (size_t)inode->size, 0);
	if (r < 0)
		return r;
	b->size += (size_t)inode->size;
	b->data[b->size] = 0;
	if (memchr(b->data + b->size - inode->size, 0, (size_t)inode->size))
		return error_format("%s: erofs: inode %ju: a NUL in a symbolic link",
			e->file->name, (uintmax_t)inode->nid);
	return 0;
}
