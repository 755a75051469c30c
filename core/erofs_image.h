/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_EROFS_IMAGE_H
#define CAIRN_CORE_EROFS_IMAGE_H

#include <sys/types.h>

#include "core/erofs.h"
#include "core/file.h"

/*
 * Reads erofs without the kernel, from images of strangers as well: names, attributes,
 * places, and contents that are not compressed. Nothing is written and nothing kept;
 * every number is checked against the image before it is used.
 */

struct erofs {
	const struct file *file; /* not owned; only its name is used if there is READ */
	/* What reads instead, as file_read does, from any thread; or NULL. */
	int (*read)(void *context, void *data, size_t size, uint64_t offset);
	void *context;
	uint64_t offset;        /* where the file system starts in the file, bytes */
	uint64_t size;          /* of the file system, bytes */
	unsigned block_bits;    /* log2 of the block size, 9 to 16 */
	uint64_t metadata;      /* where nids count from, bytes */
	uint64_t shared_xattrs; /* bytes */
	uint64_t root;          /* nid */
	uint64_t n_inodes;
	int64_t epoch; /* the mtime of compact inodes */
	uint32_t epoch_ns;
	uint32_t compatible, incompatible;
	uint8_t uuid[16];
};

struct erofs_inode {
	uint64_t nid;
	mode_t mode;
	uint32_t n_links, uid, gid;
	uint64_t size; /* bytes */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t major, minor; /* device nodes */
	unsigned layout;       /* EROFS_FLAT_PLAIN...; others are compressed */
	uint32_t start;        /* i_u: first block, or the chunks' format */
	uint64_t xattrs;       /* where the attributes are, bytes */
	uint64_t xattr_size;   /* 0: none */
	uint64_t behind;       /* what follows them: the tail, or chunk addresses */
};

/* Opens the file system of SIZE bytes at OFFSET in F. STATUS_FORMAT if it is none. */
int erofs_open(struct erofs *e, const struct file *f, uint64_t offset, uint64_t size);

/* The same for one of SIZE bytes that READ reads; F has only the name for messages. */
int erofs_open_through(struct erofs *e, const struct file *f, uint64_t size,
	int (*read)(void *context, void *data, size_t size, uint64_t offset),
	void *context);

/* Reads SIZE bytes at AT of the file system, which they must be within. */
int erofs_fetch(const struct erofs *e, void *data, size_t size, uint64_t at);

int erofs_inode(const struct erofs *e, uint64_t nid, struct erofs_inode *inode);

/*
 * Where the byte at OFFSET of a file (or directory) is: *PLACE in the file system, with
 * *LENGTH bytes from there on that belong to the same run, at least 1. *PLACE is
 * EROFS_HOLE in a hole. -EOPNOTSUPP, STATUS_FORMAT, if it is compressed.
 */
#define EROFS_HOLE UINT64_MAX
int erofs_map(const struct erofs *e, const struct erofs_inode *inode, uint64_t offset,
	uint64_t *place, uint64_t *length);

/* Reads exactly SIZE bytes at OFFSET, which must be inside the file; holes are zeros. */
int erofs_read(const struct erofs *e, const struct erofs_inode *inode, void *data,
	size_t size, uint64_t offset);

/* The target of a symbolic link is appended to B. */
int erofs_target(
	const struct erofs *e, const struct erofs_inode *inode, struct buffer *b);

/*
 * Calls FOUND for each entry of the directory in order, "." and ".." not among them.
 * NAME is valid during the call only. What FOUND returns other than 0 ends the listing
 * and is returned.
 */
int erofs_list(const struct erofs *e, const struct erofs_inode *dir,
	int (*found)(void *context, struct span name, uint64_t nid), void *context);

/*
 * The same from the place AT on: 0 is the start, and NEXT is the place behind an entry.
 * One that is no such place is STATUS_FORMAT.
 */
int erofs_list_from(const struct erofs *e, const struct erofs_inode *dir, uint64_t at,
	int (*found)(void *context, struct span name, uint64_t nid, uint64_t next),
	void *context);

/*
 * Finds NAME by bisection, as the kernel does: 1 with its *NID, or 0. What is not sorted
 * may not be found.
 */
int erofs_find(const struct erofs *e, const struct erofs_inode *dir, struct span name,
	uint64_t *nid);

/* Calls FOUND for each attribute, with the whole name; otherwise as erofs_list. */
int erofs_xattrs(const struct erofs *e, const struct erofs_inode *inode,
	int (*found)(void *context, const char *name, struct span value), void *context);

#endif
