/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXT4_IMAGE_H
#define CAIRN_VERIFIER_EXT4_IMAGE_H

#include <ext2fs/ext2fs.h>

#include "core/file.h"

/*
 * An ext2, 3 or 4 inside an open file, for libext2fs: nothing is opened by name (the
 * process may no longer be allowed to), nothing is ever written, and reading ends at the
 * file system's end.
 */
struct ext4_image {
	ext2_filsys fs;
	const struct file *file; /* not owned */
	uint64_t offset, size;   /* bytes */
};

/*
 * Opens the file system of SIZE bytes at OFFSET of F. Checksums do not matter: an image
 * that is examined is damaged. If the superblock or the descriptors behind it cannot be
 * used, backups are tried; *SUPERBLOCK is the block of the one that was taken, 0 for the
 * first. STATUS_FORMAT if there is none. IMAGE must not be moved while it is open.
 */
int ext4_image_open(struct ext4_image *image, const struct file *f, uint64_t offset,
	uint64_t size, uint64_t *superblock);

void ext4_image_close(struct ext4_image *image);

#endif
