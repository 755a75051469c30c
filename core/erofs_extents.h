/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_EROFS_EXTENTS_H
#define CAIRN_CORE_EROFS_EXTENTS_H

#include "core/erofs_image.h"

/*
 * Where the contents of any erofs file are, compressed ones included: which bytes of the
 * file come from which bytes of the file system. Nothing is decompressed here.
 *
 * Source: the kernel's fs/erofs/erofs_fs.h and zmap.c, for how the indexes of compressed
 * files are laid out.
 */
struct erofs_extent {
	uint64_t offset, length; /* in the file, bytes */
	uint64_t place;          /* in the file system, bytes; EROFS_HOLE; if `fragment`:
				    in the packed file */
	uint64_t stored;         /* bytes at PLACE; of fragments: LENGTH */
	enum erofs_coding {
		EROFS_PLAIN,
		EROFS_LZ4,
		EROFS_LZMA,
		EROFS_DEFLATE,
		EROFS_ZSTD,
	} coding;
	bool shifted; /* plain, in a compressed file: may start elsewhere in its block */
	bool interlaced; /* and does: where OFFSET is in its block, around the end */
	bool partial;    /* may be decompressed from more than it says: deduplicated */
	bool fragment;
};

/* Where the index of a compressed file is; size 0 for other files. */
struct erofs_index {
	uint64_t place, size; /* bytes */
};

/*
 * Calls FOUND for each extent of a file in order. What FOUND returns other than 0 ends it
 * and is returned. STATUS_FORMAT for an index that makes no sense. INDEX may be NULL.
 */
int erofs_extents(const struct erofs *e, const struct erofs_inode *inode,
	struct erofs_index *index,
	int (*found)(void *context, const struct erofs_extent *extent), void *context);

/* The nid of the file that fragments are in; 0 if there is none. */
int erofs_packed(const struct erofs *e, uint64_t *nid);

#endif
