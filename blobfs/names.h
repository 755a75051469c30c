/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_NAMES_H
#define CAIRN_BLOBFS_NAMES_H

#include "blobfs/store.h"
#include "core/erofs_image.h"

/*
 * The names of a whole tree: an erofs image, itself a blob, that has no contents but the
 * digests of the blobs that hold them, in the attributes by which overlayfs finds them
 * (composefs' format). Here is what those attributes mean, and which of them are not the
 * tree's own. Nothing in an image is trusted beyond what its digest says.
 */

/* Largest image that is looked at, bytes. */
#define NAMES_LIMIT ((uint64_t)4 << 30)

/* The image in memory, verified as a whole before a byte of it is looked at. */
struct names {
	struct file image;
	struct erofs erofs;
};

#define NAMES_CLOSED ((struct names){.image = FILE_CLOSED})
#define AUTO_NAMES   __attribute__((cleanup(names_close))) struct names

/*
 * Loads the blob DIGEST of the last committed state. 0; 1 if it is good but no erofs; or
 * an error, also for an erofs that is too large, or that cannot be read here. N must not
 * be moved while it is open.
 */
int names_load(struct names *n, struct blobfs_store *s,
	const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/*
 * The same without a copy: opens the blob, and reads all of it once, so that damage is
 * found at once. Whoever reads it later verifies what is read then.
 */
int names_check(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	struct blobfs_blob *blob);

/* May be called twice, and on NAMES_CLOSED. */
void names_close(struct names *n);

/*
 * The digest of the blob that holds the contents of INODE: 0, or 1 if there is none (it
 * is inside the image, or no regular file). STATUS_FORMAT if its contents are elsewhere,
 * but not under a digest.
 */
int names_blob(const struct erofs *e, const struct erofs_inode *inode,
	uint8_t digest[BLOBFS_DIGEST_SIZE]);

/*
 * Calls FOUND for the digest of each blob that the tree names, once per name of a file.
 * What FOUND returns other than 0 ends it. Ends for every image, also one whose
 * directories contain themselves: that one is STATUS_FORMAT.
 */
int names_blobs(const struct erofs *e, int (*found)(void *context, const uint8_t *digest),
	void *context);

/* ---- what the image has for overlayfs, and the tree had not --------------------------
 */

/* What one inode's attributes say beyond themselves. */
struct names_marks {
	bool is_whiteout;  /* the tree's own (a device 0:0), in its escaped form */
	bool has_whiteout; /* a directory with such */
};

int names_look(const struct erofs *e, const struct erofs_inode *inode,
	struct names_marks *marks);

/* How the longest attribute's name is held, with its NUL. */
#define NAMES_XATTR_SIZE 512

/*
 * The name that the tree had the attribute NAME under, perhaps in UNESCAPED; NULL for one
 * that only the image has.
 */
const char *names_original(const struct names_marks *marks, const char *name,
	char unescaped[NAMES_XATTR_SIZE]);

/*
 * Whether this entry of the image's root is not the tree's: devices 0:0 called 00 to ff
 * hide the directories of the blobs below. The tree's own whiteouts are always escaped.
 */
bool names_hides_blobs(const struct erofs_inode *inode);

#endif
