/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/composefs_nodes.h"
#include "core/erofs.h"

/* ---- attributes -------------------------------------------------------------------- */

uint8_t composefs_xattr_index(const char *name, const char **rest)
{
	static const struct {
		const char *prefix;
		uint8_t index;
	} known[] = {
		{"user.", EROFS_XATTR_USER},
		{"system.posix_acl_access", EROFS_XATTR_ACL_ACCESS},
		{"system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT},
		{"trusted.", EROFS_XATTR_TRUSTED},
		{"security.", EROFS_XATTR_SECURITY},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		size_t length = strlen(known[i].prefix);
		if (!strncmp(name, known[i].prefix, length)) {
			*rest = name + length;
			return known[i].index;
		}
	}
	*rest = name;
	return EROFS_XATTR_NONE;
}

size_t composefs_xattr_size(const struct composefs_xattr *x)
{
	const char *rest;
	composefs_xattr_index(x->name, &rest);
	return (EROFS_XATTR_ENTRY_SIZE + strlen(rest) + x->size + 3) & ~(size_t)3;
}

/* Downwards by name, then length, then bytes: the order composefs shares them in. */
static int by_xattr(const void *a, const void *b)
{
	const struct composefs_xattr *x = *(struct composefs_xattr *const *)a;
	const struct composefs_xattr *y = *(struct composefs_xattr *const *)b;
	int order = strcmp(y->name, x->name);
	if (order == 0 && x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return order ? order : memcmp(y->value, x->value, x->size);
}

/* Gives each of N equal attributes the same place in the shared area. */
static void share(struct composefs_nodes *n, struct composefs_xattr **equal, size_t count)
{
	for (size_t i = 0; i < count; i++)
		equal[i]->shared = (int64_t)n->shared_size;
	n->shared[n->n_shared++] = equal[0];
	n->shared_size += composefs_xattr_size(equal[0]);
}

/* Attributes that occur more than once are stored once. */
static int share_xattrs(struct composefs_nodes *n)
{
	size_t total = 0, filled = 0;
	for (size_t i = 0; i < n->n_order; i++)
		total += n->nodes[n->order[i]].n_xattrs;
	struct composefs_xattr **all = calloc(total + 1, sizeof *all);
	n->shared = calloc(total + 1, sizeof *n->shared);
	if (!all || !n->shared) {
		free(all);
		return error_memory();
	}
	for (size_t i = 0; i < n->n_order; i++)
		for (size_t k = 0; k < n->nodes[n->order[i]].n_xattrs; k++)
			all[filled++] = &n->nodes[n->order[i]].xattrs[k];
	qsort(all, total, sizeof *all, by_xattr);
	for (size_t i = 0, end; i < total; i = end) {
		for (end = i + 1; end < total && !by_xattr(&all[i], &all[end]);)
			end++;
		if (end - i > 1)
			share(n, all + i, end - i);
	}
	free(all);
	return 0;
}

uint32_t composefs_n_shared(const struct composefs_node *node)
{
	uint32_t count = 0;
	for (size_t i = 0; i < node->n_xattrs; i++)
		count += node->xattrs[i].shared >= 0;
	return count;
}

static uint32_t xattrs_in_inode(struct composefs_node *node)
{
	size_t size = 0, n_shared = 0;
	for (size_t i = 0; i < node->n_xattrs; i++) {
		struct composefs_xattr *x = &node->xattrs[i];
		if (x->shared >= 0 && n_shared++ >= EROFS_XATTR_SHARED_MAX)
			x->shared = -1;
		size += x->shared >= 0 ? sizeof(uint32_t) : composefs_xattr_size(x);
	}
	return size ? (uint32_t)(EROFS_XATTR_HEADER_SIZE + size) : 0;
}

/* ---- contents ---------------------------------------------------------------------- */

uint32_t composefs_chunk_bits(uint64_t size)
{
	uint32_t bits = size > 1 ? 64 - (uint32_t)__builtin_clzll(size - 1) : 0;
	bits = bits < EROFS_BLOCK_BITS ? 0 : bits - EROFS_BLOCK_BITS;
	return bits > EROFS_CHUNK_BITS_MAX ? EROFS_CHUNK_BITS_MAX : bits;
}

uint64_t composefs_n_chunks(uint64_t size)
{
	uint32_t bits = composefs_chunk_bits(size) + EROFS_BLOCK_BITS;
	return (size >> bits) + ((size & ((UINT64_C(1) << bits) - 1)) != 0);
}

size_t composefs_dir_block(
	const struct composefs_node *node, size_t first, uint32_t *bytes)
{
	size_t i = first, used = 0;
	for (; i < node->n_dirents; i++) {
		size_t size = EROFS_DIRENT_SIZE + node->dirents[i].size;
		if (used + size > EROFS_BLOCK)
			break;
		used += size;
	}
	*bytes = (uint32_t)used;
	return i;
}

static void size_directory(struct composefs_node *node)
{
	uint32_t bytes = 0;
	for (size_t i = composefs_dir_block(node, 0, &bytes); i < node->n_dirents;
		i = composefs_dir_block(node, i, &bytes))
		node->blocks++;
	/* The last block goes behind the inode if it is at most half full. */
	node->blocks += bytes > EROFS_BLOCK / 2;
	node->tail = bytes > EROFS_BLOCK / 2 ? 0 : bytes;
}

static int size_contents(struct composefs_node *node)
{
	node->blocks = node->tail = 0;
	if (S_ISDIR(node->mode))
		size_directory(node);
	else if (S_ISLNK(node->mode) || (S_ISREG(node->mode) && !node->digest))
		node->tail = (uint32_t)node->size;
	else if (S_ISREG(node->mode)) {
		uint64_t chunks = composefs_n_chunks(node->size);
		if (chunks > EROFS_BLOCK / sizeof(uint32_t) / 2)
			return error_format("%s: too large for an erofs image of names",
				node->entry->path);
		node->tail = (uint32_t)(chunks * sizeof(uint32_t));
	}
	return 0;
}

static bool fits_compact(
	const struct composefs_nodes *n, const struct composefs_node *node)
{
	uint64_t size = S_ISDIR(node->mode)
				? (uint64_t)node->blocks * EROFS_BLOCK + node->tail
				: node->size;
	return node->mtime == n->min_mtime && node->mtime_ns == n->min_mtime_ns &&
	       node->n_links <= UINT16_MAX && node->uid <= UINT16_MAX &&
	       node->gid <= UINT16_MAX && size <= UINT32_MAX;
}

/* ---- places ------------------------------------------------------------------------ */

static uint64_t align(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) & ~(unit - 1);
}

/*
 * Where the inode goes, at POSITION or after: a tail must not cross a block, and a
 * symbolic link should lie in one block with its inode.
 */
static uint64_t keep_together(
	struct composefs_node *node, uint64_t position, uint32_t head)
{
	if (S_ISLNK(node->mode)) {
		uint64_t all = head + node->tail;
		uint64_t first = position / EROFS_BLOCK;
		uint64_t last = (position + all - 1) / EROFS_BLOCK;
		if (all >= EROFS_BLOCK) {
			node->blocks++;
			node->tail = 0;
		}
		return first == last ? position : align(position, EROFS_BLOCK);
	}
	uint64_t room = EROFS_BLOCK - (position + head) % EROFS_BLOCK;
	/* A tail is at most half a block, so it fits after moving by less than that. */
	return room >= node->tail ? position : position + align(room, EROFS_SLOT);
}

static int place_inode(
	struct composefs_nodes *n, struct composefs_node *node, uint64_t *end)
{
	int r = size_contents(node);
	if (r < 0)
		return r;
	node->compact = fits_compact(n, node);
	node->xattr_size = xattrs_in_inode(node);
	uint32_t head = (node->compact ? EROFS_INODE_COMPACT : EROFS_INODE_EXTENDED) +
			node->xattr_size;
	node->position = keep_together(node, align(*end, EROFS_SLOT), head);
	*end = node->position + head + node->tail;
	return 0;
}

int composefs_place(struct composefs_nodes *n)
{
	int r = share_xattrs(n);
	uint64_t end = EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE;
	for (size_t i = 0; r == 0 && i < n->n_order; i++)
		r = place_inode(n, &n->nodes[n->order[i]], &end);
	if (r < 0)
		return r;
	n->inodes_end = align(end, EROFS_SLOT);
	n->data_start = align(n->inodes_end + n->shared_size, EROFS_BLOCK);
	uint64_t block = n->data_start / EROFS_BLOCK;
	for (size_t i = 0; i < n->n_order; i++) {
		struct composefs_node *node = &n->nodes[n->order[i]];
		node->first_block = (uint32_t)block;
		block += node->blocks;
	}
	n->n_blocks = block;
	if (block > UINT32_MAX)
		return error_format(
			"the image of names would be larger than erofs allows");
	return 0;
}
