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

/* Reads the block of the directory at AT, its entries' number N and their places. */
static int read_block(const struct erofs *e, const struct erofs_inode *dir, uint64_t at,
	uint8_t *data, struct span *block, size_t *n)
{
	uint64_t left = dir->size - at, most = UINT64_C(1) << e->block_bits;
	*block = span_of(data, (size_t)(left < most ? left : most));
	int r = erofs_read(e, dir, data, block->size, at);
	if (r < 0)
		return r;
	if (block->size < EROFS_DIRENT_SIZE)
		return bad_directory(e, dir, "a block too small for an entry");
	size_t first = get_le16(data + 8);
	*n = first / EROFS_DIRENT_SIZE;
	if (*n == 0 || first % EROFS_DIRENT_SIZE || first > block->size)
		return bad_directory(e, dir, "names that start inside an entry");
	return 0;
}

static int check_directory(const struct erofs *e, const struct erofs_inode *dir)
{
	if (!S_ISDIR(dir->mode))
		return bad_directory(e, dir, "not a directory");
	/* Its blocks can be the same one many times over; they shall not be more. */
	if (dir->size > e->size)
		return bad_directory(e, dir, "larger than the file system");
	return 0;
}

/* The entries of the block at AT from the Ith on. */
static int list_block(const struct erofs *e, const struct erofs_inode *dir, uint64_t at,
	size_t i, uint8_t *data,
	int (*found)(void *context, struct span name, uint64_t nid, uint64_t next),
	void *context)
{
	struct span block, name;
	size_t n;
	int r = read_block(e, dir, at, data, &block, &n);
	if (r == 0 && i > n)
		return bad_directory(e, dir, "no place of an entry");
	for (; r == 0 && i < n; i++) {
		uint64_t next = i + 1 < n ? at + (i + 1) * EROFS_DIRENT_SIZE
					  : at + (UINT64_C(1) << e->block_bits);
		if (block_name(block, i, n, &name))
			return bad_directory(e, dir, "a name outside its block, or none");
		if (!is_dot(name))
			r = found(context, name, get_le64(data + i * EROFS_DIRENT_SIZE),
				next);
	}
	return r;
}

int erofs_list_from(const struct erofs *e, const struct erofs_inode *dir, uint64_t at,
	int (*found)(void *context, struct span name, uint64_t nid, uint64_t next),
	void *context)
{
	uint64_t block = UINT64_C(1) << e->block_bits, inside = at & (block - 1);
	int r = check_directory(e, dir);
	if (r == 0 && inside % EROFS_DIRENT_SIZE)
		r = bad_directory(e, dir, "no place of an entry");
	if (r < 0)
		return r;
	uint8_t *data = malloc((size_t)block);
	if (!data)
		return error_memory();
	for (at -= inside; r == 0 && at < dir->size; at += block, inside = 0)
		r = list_block(e, dir, at, (size_t)(inside / EROFS_DIRENT_SIZE), data,
			found, context);
	free(data);
	return r;
}

struct simple_listing {
	int (*found)(void *context, struct span name, uint64_t nid);
	void *context;
};

static int list_simply(void *context, struct span name, uint64_t nid, uint64_t next)
{
	const struct simple_listing *l = context;
	(void)next;
	return l->found(l->context, name, nid);
}

int erofs_list(const struct erofs *e, const struct erofs_inode *dir,
	int (*found)(void *context, struct span name, uint64_t nid), void *context)
{
	struct simple_listing l = {found, context};
	return erofs_list_from(e, dir, 0, list_simply, &l);
}

static int compare_names(struct span a, struct span b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	int r = memcmp(a.data, b.data, n);
	return r ? r : (a.size > b.size) - (a.size < b.size);
}

/* Finds the last block whose first name is not behind NAME, and reads it into DATA. */
static int find_block(const struct erofs *e, const struct erofs_inode *dir,
	struct span wanted, uint8_t *data, struct span *block, size_t *n)
{
	uint64_t low = 0, high = ((dir->size - 1) >> e->block_bits) + 1;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		struct span name;
		int r = read_block(e, dir, middle << e->block_bits, data, block, n);
		if (r == 0 && block_name(*block, 0, *n, &name))
			r = bad_directory(e, dir, "a name outside its block, or none");
		if (r < 0)
			return r;
		if (compare_names(name, wanted) <= 0)
			low = middle;
		else
			high = middle;
	}
	return read_block(e, dir, low << e->block_bits, data, block, n);
}

/* Finds NAME in a block of N entries: 1 with its *NID, or 0. */
static int find_in_block(const struct erofs *e, const struct erofs_inode *dir,
	struct span wanted, struct span block, size_t n, uint64_t *nid)
{
	for (size_t low = 0, high = n; low < high;) {
		size_t middle = low + (high - low) / 2;
		struct span name;
		if (block_name(block, middle, n, &name))
			return bad_directory(e, dir, "a name outside its block, or none");
		int order = compare_names(name, wanted);
		if (order == 0) {
			*nid = get_le64(block.data + middle * EROFS_DIRENT_SIZE);
			return 1;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

int erofs_find(const struct erofs *e, const struct erofs_inode *dir, struct span name,
	uint64_t *nid)
{
	struct span block;
	size_t n;
	int r = check_directory(e, dir);
	if (r < 0 || dir->size == 0 || name.size == 0 || is_dot(name))
		return r;
	uint8_t *data = malloc((size_t)1 << e->block_bits);
	if (!data)
		return error_memory();
	r = find_block(e, dir, name, data, &block, &n);
	if (r == 0)
		r = find_in_block(e, dir, name, block, n, nid);
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
	size_t used, n = EROFS_XATTR_ENTRY_SIZE;
	if (at > e->size || n > e->size - at)
		return bad_xattr(e, inode);
	int r = erofs_fetch(e, data, n, at);
	if (r < 0)
		return r;
	n += data[0] + (size_t)get_le16(data + 2);
	if (n > e->size - at)
		return bad_xattr(e, inode);
	r = erofs_fetch(e, data, n, at);
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
	int r = erofs_fetch(e, area, (size_t)inode->xattr_size, inode->xattrs);
	if (r == 0)
		r = visit_all(
			e, inode, span_of(area, (size_t)inode->xattr_size), &visitor);
	free(area);
	return r;
}
