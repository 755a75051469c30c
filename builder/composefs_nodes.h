/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_COMPOSEFS_NODES_H
#define CAIRN_BUILDER_COMPOSEFS_NODES_H

#include "builder/composefs.h"

/* Inside of composefs.h: the tree as overlayfs is to see it, with places on the image. */

struct composefs_xattr {
	char *name;
	uint8_t *value;
	size_t size;
	int64_t shared; /* offset among the shared ones, bytes; -1: in the inode */
};

struct composefs_dirent {
	const char *name; /* not owned */
	size_t size;
	size_t node; /* hard links resolved */
};

struct composefs_node {
	const struct tree_entry *entry; /* NULL: a whiteout over a blob directory */
	char *name;                     /* of those; owned */
	mode_t mode;
	uint32_t n_links, uid, gid, mtime_ns;
	int64_t mtime;
	uint64_t size;
	uint32_t device;
	const uint8_t *digest; /* of the blob; NULL: none */
	size_t parent;
	size_t link; /* the node that is this file; itself if not a further name */
	struct composefs_dirent *dirents; /* directories: with "." and "..", sorted */
	size_t n_dirents;
	struct composefs_xattr *xattrs; /* sorted by name */
	size_t n_xattrs;
	/* Set by composefs_place: */
	uint64_t position;    /* of the inode, bytes; the nid is position / EROFS_SLOT */
	uint32_t number;      /* i_ino, in breadth-first order */
	bool compact;         /* a 32-byte inode will do */
	uint32_t xattr_size;  /* bytes behind the inode */
	uint32_t tail;        /* bytes behind those */
	uint32_t blocks;      /* whole blocks of its own */
	uint32_t first_block; /* where they are */
};

struct composefs_nodes {
	struct composefs_node *nodes; /* nodes[0] is the root */
	size_t n_nodes;
	size_t *order; /* breadth-first, without further names of a file; owned */
	size_t n_order;
	unsigned format;
	int64_t min_mtime;
	uint32_t min_mtime_ns;
	bool has_acl;
	/* Set by composefs_place: */
	const struct composefs_xattr **shared; /* in the order of the image; owned */
	size_t n_shared;
	uint64_t shared_size;
	uint64_t inodes_end, data_start, n_blocks;
};

void composefs_nodes_free(struct composefs_nodes *n);
#define AUTO_COMPOSEFS_NODES \
	__attribute__((cleanup(composefs_nodes_free))) struct composefs_nodes

/* The nodes of TREE, with overlayfs' attributes, in order. N is zeroed before. */
int composefs_nodes_make(struct composefs_nodes *n, const struct tree *tree,
	const uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE], struct composefs_format format);

/* Finds a place for everything. */
int composefs_place(struct composefs_nodes *n);

/* The size of an attribute as erofs stores it, and its prefix's index; *REST follows it.
 */
uint8_t composefs_xattr_index(const char *name, const char **rest);
size_t composefs_xattr_size(const struct composefs_xattr *x);

/* Bytes of the chunk addresses of a file of SIZE bytes, and log2 of a chunk in blocks. */
uint32_t composefs_chunk_bits(uint64_t size);
uint64_t composefs_n_chunks(uint64_t size);

/* How many of NODE's attributes are shared. */
uint32_t composefs_n_shared(const struct composefs_node *node);

/*
 * Where the next directory block ends: the index one past the last of the dirents that,
 * from FIRST on, fit into a block; *BYTES is what they take.
 */
size_t composefs_dir_block(
	const struct composefs_node *node, size_t first, uint32_t *bytes);

#endif
