/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_COMPOSEFS_H
#define CAIRN_BUILDER_COMPOSEFS_H

#include "builder/tree.h"

/*
 * The metadata image of a tree: an erofs that has all names and attributes, and in place
 * of a file's contents the fs-verity digest of the blob that holds them, in the form
 * overlayfs takes it (metacopy and redirect attributes). It is byte for byte what
 * composefs' mkcomposefs writes for the same tree, so either tool's image has the same
 * digest. Files of at most 64 bytes are inside the image.
 */

#define COMPOSEFS_INLINE_MAX  64
#define COMPOSEFS_DIGEST_SIZE 32
#define COMPOSEFS_FORMAT_MAX  1

/*
 * The composefs format: 0, and 1 for a tree with overlayfs whiteouts in it, which 0 marks
 * in a way newer kernels do not see. The image gets MIN unless the tree needs more and
 * MAX allows it; mkcomposefs' defaults are 0 and 1.
 */
struct composefs_format {
	unsigned min, max;
};

#define COMPOSEFS_FORMAT_DEFAULT ((struct composefs_format){0, COMPOSEFS_FORMAT_MAX})

/* True for a regular file whose contents are a blob of their own. */
bool composefs_has_blob(const struct tree_entry *entry);

/* The bytes of all of the tree's blobs, each file once however many names it has. */
uint64_t composefs_blob_bytes(const struct tree *tree);

/*
 * The fs-verity digests (sha256, 4096, no salt) of the tree's blobs: DIGESTS has one
 * place per entry of the tree, and is written where composefs_has_blob holds, for every
 * name of a hard link. JOBS: 0 for one thread per processor.
 */
int composefs_digests(const struct tree *tree, unsigned jobs,
	uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE]);

/*
 * Appends the image to IMAGE (which must be empty). Hard links are kept. Refused with
 * STATUS_FORMAT: names over 255 bytes, attributes that do not fit.
 */
int composefs_make(const struct tree *tree,
	const uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE], struct composefs_format format,
	struct buffer *image);

/* "ab/cdef...", the path of a blob in every view of blobs. */
#define COMPOSEFS_PATH_SIZE (2 * COMPOSEFS_DIGEST_SIZE + 2)
char *composefs_path(
	const uint8_t digest[COMPOSEFS_DIGEST_SIZE], char path[COMPOSEFS_PATH_SIZE]);

#endif
