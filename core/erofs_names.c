/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/erofs_image.h"

/* ---- directories ------------------------------------------------------------------- */

static int bad_directory(
	const struct erofs *e, const struct erofs_inode *dir, const char *why)
{
	return error_format("%s: erofs: directory inode %ju: %s", e->file->name,
		(uintmax_t)dir->nid, why);
}

/* The name of entry I of N in a directory block; the last one ends at a NUL or the end.
 */
static int block_name(struct span block, size_t i, size_t n, struct span *name)
{
	const uint8_t *d = block.data + i * EROFS_DIRENT_SIZE;
	size_t start = get_le16(d + 8);
	size_t end = i + 1 < n ? get_le16(d + EROFS_DIRENT_SIZE + 8) : block.size;
	if (start < n * EROFS_DIRENT_SIZE || end < start ||
		span_part(block, start, end - start, name))
		return -1;
	if (i + 1 == n)
		name->size = strnlen((const char *)name->data, name->size);
	if (name->size == 0 || name->size > 255 || memchr(name->data, 0, name->size) ||
		memchr(name->data, '/', name->size))
		return -1;
	return 0;
}

static bool is_dot(struct span name)
{
	return name.data[0] == '.' &&
	       (name.size == 1 || (name.size == 2 && name.data[1] == '.'));
}

static int list_block(const struct erofs *e, const struct erofs_inode *dir,
	struct span block, int (*found)(void *context, struct span name, uint64_t nid),
	void *context)
{
	if (block.size < EROFS_DIRENT_SIZE)
		return bad_directory(e, dir, "a block too small for an entry");
	size_t first = get_le16(block.data + 8), n = first / EROFS_DIRENT_SIZE;
	if (n == 0 || first % EROFS_DIRENT_SIZE || first > block.size)
		return bad_directory(e, dir, "names that start inside an entry");
	for (size_t i = 0; i < n; i++) {
		struct span name;
		if (block_name(block, i, n, &name))
			return bad_directory(e, dir, "a name outside its block, or none");
		if (is_dot(name))
			continue;
		int r = found(
			context, name, get_le64(block.data + i * EROFS_DIRENT_SIZE));
		if (r != 0)
			return r;
	}
	return 0;
}

int erofs_list(const struct erofs *e, const struct erofs_inode *dir,
	int (*found)(void *context, struct span name, uint64_t nid), void *context)
{
	size_t block = (size_t)1 << e->block_bits;
	if (!S_ISDIR(dir->mode))
		return bad_directory(e, dir, "not a directory");
	/* Its blocks can be the same one many times over; they shall not be more. */
	if (dir->size > e->size)
		return bad_directory(e, dir, "larger than the file system");
	uint8_t *data = malloc(block);
	if (!data)
		return error_memory();
	int r = 0;
	for (uint64_t at = 0; r == 0 && at < dir->size; at += block) {
		uint64_t left = dir->size - at;
		size_t n = left < block ? (size_t)left : block;
		r = erofs_read(e, dir, data, n, at);
		if (r == 0)
			r = list_block(e, dir, span_of(data, n), found, context);
	}
	free(data);
	return r;
}

/* ---- attributes -------------------------------------------------------------------- */

static int bad_xattr(const struct erofs *e, const struct erofs_inode *inode)
{
	return error_format("%s: erofs: inode %ju: malformed extended attributes",
		e->file->name, (uintmax_t)inode->nid);
}

/* Parses the attribute at the start of S; *USED is what it takes, with its padding. */
static int take_xattr(struct span s, char name[512], struct span *value, size_t *used)
{
	static const char *const prefixes[] = {NULL, "user.", "system.posix_acl_access",
		"system.posix_acl_default", "trusted.", "lustre.", "security."};
	struct span rest;
	if (s.size < EROFS_XATTR_ENTRY_SIZE)
		return -1;
	size_t length = s.data[0], index = s.data[1], size = get_le16(s.data + 2);
	if (index >= sizeof prefixes / sizeof prefixes[0] || !prefixes[index] ||
		span_part(s, EROFS_XATTR_ENTRY_SIZE, length, &rest) ||
		span_part(s, EROFS_XATTR_ENTRY_SIZE + length, size, value) ||
		(length && memchr(rest.data, 0, length)))
		return -1;
	snprintf(name, 512, "%s%.*s", prefixes[index], (int)length,
		length ? (const char *)rest.data : "");
	*used = (EROFS_XATTR_ENTRY_SIZE + length + size + 3) & ~(size_t)3;
	return 0;
}

struct xattr_visitor {
	int (*found)(void *context, const char *name, struct span value);
	void *context;
};

/* A shared attribute: its place counts words from the shared area. */
static int visit_shared(const struct erofs *e, const struct erofs_inode *inode,
	uint32_t number, const struct xattr_visitor *visitor)
{
	uint8_t data[EROFS_XATTR_ENTRY_SIZE + 255 + UINT16_MAX];
	uint64_t at = e->shared_xattrs + (uint64_t)number * 4;
	char name[512];
	struct span value;
	size_t used, n;
	if (at >= e->size)
		return bad_xattr(e, inode);
	n = e->size - at < sizeof data ? (size_t)(e->size - at) : sizeof data;
	int r = file_read(e->file, data, n, e->offset + at);
	if (r < 0)
		return r;
	if (take_xattr(span_of(data, n), name, &value, &used))
		return bad_xattr(e, inode);
	return visitor->found(visitor->context, name, value);
}

static int visit_all(const struct erofs *e, const struct erofs_inode *inode,
	struct span area, const struct xattr_visitor *visitor)
{
	size_t n_shared = area.data[4], at = EROFS_XATTR_HEADER_SIZE + 4 * n_shared;
	if (at > area.size)
		return bad_xattr(e, inode);
	for (size_t i = 0; i < n_shared; i++) {
		const uint8_t *number = area.data + EROFS_XATTR_HEADER_SIZE + 4 * i;
		int r = visit_shared(e, inode, get_le32(number), visitor);
		if (r != 0)
			return r;
	}
	while (at < area.size) {
		char name[512];
		struct span value;
		size_t used;
		if (take_xattr(span_of(area.data + at, area.size - at), name, &value,
			    &used) ||
			used > area.size - at)
			return bad_xattr(e, inode);
		int r = visitor->found(visitor->context, name, value);
		if (r != 0)
			return r;
		at += used;
	}
	return 0;
}

int erofs_xattrs(const struct erofs *e, const struct erofs_inode *inode,
	int (*found)(void *context, const char *name, struct span value), void *context)
{
	struct xattr_visitor visitor = {found, context};
	if (!inode->xattr_size)
		return 0;
	uint8_t *area = malloc((size_t)inode->xattr_size);
	if (!area)
		return error_memory();
	int r = file_read(
		e->file, area, (size_t)inode->xattr_size, e->offset + inode->xattrs);
	if (r == 0)
		r = visit_all(
			e, inode, span_of(area, (size_t)inode->xattr_size), &visitor);
	free(area);
	return r;
}
