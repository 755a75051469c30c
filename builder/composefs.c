/* SPDX-License-Identifier: MIT */
#include "builder/composefs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "builder/composefs_nodes.h"
#include "core/erofs.h"
#include "core/hex.h"

/* composefs' own header, in the boot sector erofs leaves free. */
#define HEADER_MAGIC        0xd078629au
#define HEADER_VERSION      1u
#define HEADER_FLAG_HAS_ACL 1u

bool composefs_has_blob(const struct tree_entry *entry)
{
	return S_ISREG(entry->mode) && entry->size > COMPOSEFS_INLINE_MAX;
}

uint64_t composefs_blob_bytes(const struct tree *tree)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < tree->n_entries; i++)
		if (composefs_has_blob(&tree->entries[i]) &&
			tree->entries[i].first_name == i)
			sum += tree->entries[i].size;
	return sum;
}

char *composefs_path(
	const uint8_t digest[COMPOSEFS_DIGEST_SIZE], char path[COMPOSEFS_PATH_SIZE])
{
	hex_encode(digest, 1, path);
	path[2] = '/';
	hex_encode(digest + 1, COMPOSEFS_DIGEST_SIZE - 1, path + 3);
	return path;
}

/* ---- pieces ------------------------------------------------------------------------ */

/* Zeros up to OFFSET of the image. */
static int pad_to(struct buffer *b, uint64_t offset)
{
	return buffer_append_zeros(b, (size_t)(offset - b->size));
}

static int put_header(const struct composefs_nodes *n, struct buffer *b)
{
	uint8_t h[32] = {0};
	put_le32(h, HEADER_MAGIC);
	put_le32(h + 4, HEADER_VERSION);
	put_le32(h + 8, n->has_acl ? HEADER_FLAG_HAS_ACL : 0);
	put_le32(h + 12, n->format);
	return buffer_append(b, h, sizeof h);
}

static int put_super(const struct composefs_nodes *n, struct buffer *b)
{
	uint8_t s[EROFS_SUPER_SIZE] = {0};
	put_le32(s, EROFS_SUPER_MAGIC);
	put_le32(s + 8, EROFS_COMPAT_MTIME | EROFS_COMPAT_XATTR_FILTER);
	s[12] = EROFS_BLOCK_BITS;
	put_le16(s + 14, (uint16_t)(n->nodes[0].position / EROFS_SLOT));
	put_le64(s + 16, n->n_order);
	put_le64(s + 24, (uint64_t)n->min_mtime);
	put_le32(s + 32, n->min_mtime_ns);
	put_le32(s + 36, (uint32_t)n->n_blocks);
	put_le32(s + 44, (uint32_t)(n->inodes_end / EROFS_BLOCK));
	int r = pad_to(b, EROFS_SUPER_OFFSET);
	return r < 0 ? r : buffer_append(b, s, sizeof s);
}

static int put_xattr(const struct composefs_xattr *x, struct buffer *b)
{
	const char *rest;
	uint8_t head[EROFS_XATTR_ENTRY_SIZE];
	size_t start = b->size;
	head[1] = composefs_xattr_index(x->name, &rest);
	head[0] = (uint8_t)strlen(rest);
	put_le16(head + 2, (uint16_t)x->size);
	int r = buffer_append(b, head, sizeof head);
	if (r == 0)
		r = buffer_append(b, rest, strlen(rest));
	if (r == 0)
		r = buffer_append(b, x->value, x->size);
	return r < 0 ? r : pad_to(b, start + composefs_xattr_size(x));
}

/* The bloom filter: a bit is cleared for each name the inode has. */
static uint32_t name_filter(const struct composefs_node *node)
{
	uint32_t filter = UINT32_MAX;
	for (size_t i = 0; i < node->n_xattrs; i++) {
		const char *rest;
		uint32_t index = composefs_xattr_index(node->xattrs[i].name, &rest);
		uint32_t hash =
			XXH32(rest, strlen(rest), EROFS_XATTR_FILTER_SEED + index);
		filter &= ~(1u << hash % EROFS_XATTR_FILTER_BITS);
	}
	return filter;
}

static int put_xattrs(const struct composefs_nodes *n, const struct composefs_node *node,
	struct buffer *b)
{
	uint8_t head[EROFS_XATTR_HEADER_SIZE] = {0};
	if (!node->xattr_size)
		return 0;
	put_le32(head, name_filter(node));
	head[4] = (uint8_t)composefs_n_shared(node);
	int r = buffer_append(b, head, sizeof head);
	for (size_t i = 0; r == 0 && i < node->n_xattrs; i++) {
		uint8_t number[4];
		if (node->xattrs[i].shared < 0)
			continue;
		uint64_t offset =
			n->inodes_end % EROFS_BLOCK + (uint64_t)node->xattrs[i].shared;
		put_le32(number, (uint32_t)(offset / sizeof number));
		r = buffer_append(b, number, sizeof number);
	}
	for (size_t i = 0; r == 0 && i < node->n_xattrs; i++)
		if (node->xattrs[i].shared < 0)
			r = put_xattr(&node->xattrs[i], b);
	return r;
}

/* ---- inodes ------------------------------------------------------------------------ */

static unsigned data_layout(const struct composefs_node *node)
{
	if (node->digest)
		return EROFS_CHUNK_BASED;
	return node->tail ? EROFS_FLAT_INLINE : EROFS_FLAT_PLAIN;
}

static uint64_t inode_size(const struct composefs_node *node)
{
	if (S_ISDIR(node->mode))
		return (uint64_t)node->blocks * EROFS_BLOCK + node->tail;
	return node->size;
}

/* i_u: a device, the first block, or the chunks' size. */
static uint32_t inode_union(const struct composefs_node *node)
{
	if (S_ISCHR(node->mode) || S_ISBLK(node->mode))
		return node->device;
	if (node->digest)
		return composefs_chunk_bits(node->size);
	return node->blocks ? node->first_block : 0;
}

static int put_inode(const struct composefs_node *node, struct buffer *b)
{
	uint8_t i[EROFS_INODE_EXTENDED] = {0};
	uint32_t xattrs = node->xattr_size
				  ? (node->xattr_size - EROFS_XATTR_HEADER_SIZE) / 4 + 1
				  : 0;
	put_le16(i, (uint16_t)(data_layout(node) << 1 | !node->compact));
	put_le16(i + 2, (uint16_t)xattrs);
	put_le16(i + 4, (uint16_t)node->mode);
	put_le32(i + 16, inode_union(node));
	put_le32(i + 20, node->number);
	if (node->compact) {
		put_le16(i + 6, (uint16_t)node->n_links);
		put_le32(i + 8, (uint32_t)inode_size(node));
		put_le16(i + 24, (uint16_t)node->uid);
		put_le16(i + 26, (uint16_t)node->gid);
		return buffer_append(b, i, EROFS_INODE_COMPACT);
	}
	put_le64(i + 8, inode_size(node));
	put_le32(i + 24, node->uid);
	put_le32(i + 28, node->gid);
	put_le64(i + 32, (uint64_t)node->mtime);
	put_le32(i + 40, node->mtime_ns);
	put_le32(i + 44, node->n_links);
	return buffer_append(b, i, sizeof i);
}

static uint8_t file_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EROFS_FT_REGULAR;
	case S_IFDIR:
		return EROFS_FT_DIRECTORY;
	case S_IFCHR:
		return EROFS_FT_CHAR;
	case S_IFBLK:
		return EROFS_FT_BLOCK;
	case S_IFIFO:
		return EROFS_FT_FIFO;
	case S_IFLNK:
		return EROFS_FT_SYMLINK;
	default:
		return EROFS_FT_UNKNOWN;
	}
}

/* The dirents [FIRST, END): all heads, then all names. */
static int put_dirents(const struct composefs_nodes *n, const struct composefs_node *dir,
	size_t first, size_t end, struct buffer *b)
{
	size_t name_at = (end - first) * EROFS_DIRENT_SIZE;
	int r = 0;
	for (size_t i = first; r == 0 && i < end; i++) {
		const struct composefs_node *node = &n->nodes[dir->dirents[i].node];
		uint8_t d[EROFS_DIRENT_SIZE] = {0};
		put_le64(d, node->position / EROFS_SLOT);
		put_le16(d + 8, (uint16_t)name_at);
		d[10] = file_type(node->mode);
		name_at += dir->dirents[i].size;
		r = buffer_append(b, d, sizeof d);
	}
	for (size_t i = first; r == 0 && i < end; i++)
		r = buffer_append(b, dir->dirents[i].name, dir->dirents[i].size);
	return r;
}

/* A directory's whole blocks (TAIL false), or the rest that stands behind the inode. */
static int put_directory(const struct composefs_nodes *n,
	const struct composefs_node *dir, bool tail, struct buffer *b)
{
	uint32_t bytes, block = 0;
	int r = 0;
	for (size_t first = 0, end; r == 0 && first < dir->n_dirents;
		first = end, block++) {
		end = composefs_dir_block(dir, first, &bytes);
		if (tail == (block < dir->blocks))
			continue;
		r = put_dirents(n, dir, first, end, b);
		if (r == 0 && !tail)
			r = pad_to(b,
				((uint64_t)dir->first_block + block + 1) * EROFS_BLOCK);
	}
	return r;
}

static int put_tail(const struct composefs_nodes *n, const struct tree *tree,
	const struct composefs_node *node, struct buffer *b)
{
	static const uint8_t hole[4] = {0xff, 0xff, 0xff, 0xff};
	int r = 0;
	if (!node->tail)
		return 0;
	if (S_ISDIR(node->mode))
		return put_directory(n, node, true, b);
	if (S_ISLNK(node->mode))
		return buffer_append(b, node->entry->target, node->tail);
	if (!node->digest)
		return tree_read(tree, node->entry, COMPOSEFS_INLINE_MAX, b);
	for (uint32_t i = 0; r == 0 && i < node->tail; i += sizeof hole)
		r = buffer_append(b, hole, sizeof hole);
	return r;
}

static int put_inodes(
	const struct composefs_nodes *n, const struct tree *tree, struct buffer *b)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n->n_order; i++) {
		const struct composefs_node *node = &n->nodes[n->order[i]];
		r = pad_to(b, node->position);
		if (r == 0)
			r = put_inode(node, b);
		if (r == 0)
			r = put_xattrs(n, node, b);
		if (r == 0)
			r = put_tail(n, tree, node, b);
	}
	return r < 0 ? r : pad_to(b, n->inodes_end);
}

static int put_blocks(const struct composefs_nodes *n, struct buffer *b)
{
	int r = pad_to(b, n->data_start);
	for (size_t i = 0; r == 0 && i < n->n_order; i++) {
		const struct composefs_node *node = &n->nodes[n->order[i]];
		if (!node->blocks)
			continue;
		if (S_ISDIR(node->mode))
			r = put_directory(n, node, false, b);
		else
			r = buffer_append(b, node->entry->target, (size_t)node->size);
		if (r == 0)
			r = pad_to(b, ((uint64_t)node->first_block + node->blocks) *
					      EROFS_BLOCK);
	}
	return r;
}

int composefs_make(const struct tree *tree,
	const uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE], struct composefs_format format,
	struct buffer *image)
{
	AUTO_COMPOSEFS_NODES n = {0};
	int r = composefs_nodes_make(&n, tree, digests, format);
	if (r == 0)
		r = composefs_place(&n);
	if (r == 0)
		r = buffer_reserve(image, (size_t)(n.n_blocks * EROFS_BLOCK));
	if (r == 0)
		r = put_header(&n, image);
	if (r == 0)
		r = put_super(&n, image);
	if (r == 0)
		r = put_inodes(&n, tree, image);
	for (size_t i = 0; r == 0 && i < n.n_shared; i++)
		r = put_xattr(n.shared[i], image);
	return r < 0 ? r : put_blocks(&n, image);
}
