/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_FILESYSTEM_H
#define CAIRN_BUILDER_FILESYSTEM_H

#include "builder/tree.h"

/*
 * File system images of a tree, read-only by construction. The bytes follow from the
 * tree, the options and the version of the tools alone: not from the host, the user, the
 * time, the order of a directory or the number of threads.
 */

enum filesystem_type {
	FILESYSTEM_EROFS,
	FILESYSTEM_SQUASHFS,
	FILESYSTEM_EXT4, /* without journal, with the read-only feature */
};

struct filesystem_options {
	enum filesystem_type type;
	/* The directory of the tree that becomes the root ("usr"); NULL: the whole tree.
	 */
	const char *subtree;
	/* "none", "lz4", "lz4hc", "zstd", ... or with ",LEVEL"; NULL: the type's default
	 */
	const char *compress;
	uint8_t uuid[16];  /* squashfs has none */
	const char *label; /* at most 15 bytes; NULL: none; squashfs has none */
	int64_t epoch;     /* the image's own time, seconds; file times are the tree's */
	unsigned jobs;     /* 0: as many as processors */
	const char *scratch; /* a path beside which unnamed files may be made; or NULL */
};

struct filesystem_info {
	uint64_t size;            /* of the image; a multiple of 4096 */
	uint64_t n_entries;       /* names in it, the root included */
	uint64_t n_acls_left_out; /* entries whose POSIX ACLs the format cannot hold */
	char compress[32];        /* as used */
	char tool[96];            /* "mkfs.erofs 1.8.6": for the manifest */
};

/* "erofs", "squashfs", "ext4". */
const char *filesystem_name(enum filesystem_type type);

/* -EINVAL, STATUS_USAGE, for a name that is none of these. */
int filesystem_by_name(const char *name, enum filesystem_type *type);

/*
 * Writes the image to OUT, an empty regular file open for reading and writing (it may
 * have no name), from offset 0, and sets OUT's size. A compression the type does not
 * know: STATUS_USAGE. What the format cannot store (a time, a size, attributes too large)
 * is refused with STATUS_FORMAT and the entry's name. Two things squashfs lacks are not:
 * its times are whole seconds, rounded down; and it has no POSIX ACLs, in whose place the
 * mode is made to grant no more than they did, which a note on stderr tells.
 */
int filesystem_make(const struct tree *tree, const struct filesystem_options *options,
	struct file *out, struct filesystem_info *info);

#endif
