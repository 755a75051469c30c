/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_EROFS_CONTENT_H
#define CAIRN_CORE_EROFS_CONTENT_H

#include "core/erofs_extents.h"

/*
 * Reads files of erofs that may be compressed (LZ4, Zstandard, DEFLATE, MicroLZMA), from
 * images of strangers as well: whole and in order. A zeroed struct is ready for use.
 */
struct erofs_content {
	const struct erofs *e; /* not owned */
	bool have_packed;
	struct file packed;      /* the file with fragments, unpacked, in memory */
	uint8_t *stored, *plain; /* owned: scratch */
	size_t stored_size, plain_size;
};

/* What is compressed together is never more, neither way. */
#define EROFS_EXTENT_MAX ((uint64_t)16 << 20)

/* And the packed file not larger, unpacked. */
#define EROFS_PACKED_MAX ((uint64_t)1 << 30)

void erofs_content_init(struct erofs_content *c, const struct erofs *e);
void erofs_content_free(struct erofs_content *c);

/*
 * Gives the bytes of a regular file to SINK in order, in pieces that are valid during the
 * call only; holes are given as zeros. What SINK returns other than 0 ends it and is
 * returned. STATUS_FORMAT for what does not unpack.
 */
int erofs_content_stream(struct erofs_content *c, const struct erofs_inode *inode,
	int (*sink)(void *context, struct span data), void *context);

#endif
