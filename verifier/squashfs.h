/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_SQUASHFS_H
#define CAIRN_VERIFIER_SQUASHFS_H

#include <sys/types.h>

#include "core/file.h"
#include "core/span.h"

/*
 * Reads squashfs 4.0 without the kernel, from images of strangers as well: names, and
 * where contents are. Every number is checked before it is used, and of a damaged table
 * all other blocks can still be read.
 *
 * Source: the kernel's fs/squashfs/squashfs_fs.h and Documentation/filesystems/squashfs.
 */
#define SQUASHFS_METADATA 8192u /* most bytes a block of metadata unpacks to */

enum squashfs_type {
	SQUASHFS_DIR = 1,
	SQUASHFS_FILE,
	SQUASHFS_SYMLINK,
	SQUASHFS_BLOCK,
	SQUASHFS_CHAR,
	SQUASHFS_FIFO,
	SQUASHFS_SOCKET,
	/* The same with 7 added: extended, with attributes and larger numbers. */
};

/* Blocks of metadata that were unpacked; small, since they are read mostly in order. */
struct squashfs_block {
	uint64_t place;  /* in the file system, bytes; UINT64_MAX: free */
	uint32_t stored; /* with its header of 2 bytes */
	uint32_t size;
	uint8_t data[SQUASHFS_METADATA];
};

#define SQUASHFS_CACHE 256

struct squashfs {
	const struct file *file; /* not owned */
	uint64_t offset, size;   /* of the file system, bytes */
	unsigned compressor;     /* as in the superblock */
	uint32_t n_inodes, n_fragments, block_size;
	uint16_t flags, n_ids;
	uint64_t root; /* reference: block << 16 | offset */
	uint64_t inodes, directories, fragments, ids, exports, xattrs; /* bytes */
	struct squashfs_block *cache;                                  /* owned */
	uint64_t budget; /* blocks of metadata that may still be unpacked */
};

/* Where metadata is read next. */
struct squashfs_cursor {
	uint64_t place; /* of the block, in the file system */
	uint32_t at;    /* in the unpacked block */
	/* Told of each block that is read from. May be NULL. */
	int (*touched)(void *context, uint64_t place, uint32_t stored);
	void *context;
};

struct squashfs_inode {
	unsigned type; /* enum squashfs_type, without the 7 */
	mode_t mode;   /* permission bits */
	uint32_t number;
	uint16_t uid, gid; /* numbers in the table of owners */
	uint32_t n_links, mtime, rdev;
	uint64_t size;                 /* files: bytes; directories: of the listing */
	uint64_t blocks;               /* files: where the first is */
	uint32_t fragment;             /* UINT32_MAX: none */
	uint32_t fragment_at;          /* offset in the unpacked fragment */
	uint64_t n_blocks;             /* files: sizes of blocks that follow the inode */
	uint64_t listing;              /* directories: place of the block */
	uint32_t listing_at;           /* and offset in it */
	uint32_t target_size;          /* symbolic links: bytes that follow */
	uint32_t xattr;                /* UINT32_MAX: none */
	struct squashfs_cursor behind; /* what follows the inode */
};

int squashfs_open(
	struct squashfs *s, const struct file *f, uint64_t offset, uint64_t size);
void squashfs_close(struct squashfs *s);

/* Reads SIZE bytes of metadata at C, over the ends of blocks. */
int squashfs_get(struct squashfs *s, struct squashfs_cursor *c, void *data, size_t size);

/* The inode that REFERENCE names; TOUCHED (may be NULL) learns where it is read. */
int squashfs_inode(struct squashfs *s, uint64_t reference,
	int (*touched)(void *context, uint64_t place, uint32_t stored), void *context,
	struct squashfs_inode *inode);

/*
 * Calls FOUND for each entry of a directory: the name is valid during the call only.
 * What it returns other than 0 ends the listing and is returned.
 */
struct squashfs_entry {
	struct span name;
	uint64_t reference; /* of its inode */
	uint32_t number;    /* of its inode */
};
int squashfs_list(struct squashfs *s, const struct squashfs_inode *dir,
	int (*touched)(void *context, uint64_t place, uint32_t stored),
	int (*found)(void *context, const struct squashfs_entry *entry), void *context);

/* Owner NUMBER of the table. */
int squashfs_id(struct squashfs *s, uint16_t number, uint32_t *id);

/* Calls FOUND for each attribute, with the whole name; otherwise as squashfs_list. */
int squashfs_xattrs(struct squashfs *s, const struct squashfs_inode *inode,
	int (*found)(void *context, const char *name, struct span value), void *context);

/* The target of a symbolic link is appended to B. */
int squashfs_target(
	struct squashfs *s, const struct squashfs_inode *inode, struct buffer *b);

/*
 * Gives the bytes of a regular file to SINK in order; holes are given as zeros. What SINK
 * returns other than 0 ends it and is returned.
 */
int squashfs_stream(struct squashfs *s, const struct squashfs_inode *inode,
	int (*sink)(void *context, struct span data), void *context);

/* Where fragment NUMBER is: its place, the bytes stored there (bit 24: not packed). */
int squashfs_fragment(
	struct squashfs *s, uint32_t number, uint64_t *place, uint32_t *stored);

/* Of the size of a block as it is stored. */
#define SQUASHFS_UNPACKED     (1u << 24)
#define SQUASHFS_STORED(size) ((size) & (SQUASHFS_UNPACKED - 1))

/*
 * Unpacks DATA into at most SIZE bytes at OUT; *N is what there was. -1 if it is damaged,
 * 1 if this compressor is not known here.
 */
int squashfs_unpack(
	unsigned compressor, struct span data, uint8_t *out, size_t size, size_t *n);

#endif
