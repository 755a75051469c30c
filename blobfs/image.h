/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_IMAGE_H
#define CAIRN_BLOBFS_IMAGE_H

#include "blobfs/store.h"

/* A blobfs image in a file or on a block device, opened with the locks it takes. */
struct blobfs_image {
	struct file file;
	struct blobfs_device device;
	struct blobfs_store store;
};

/* How long to wait for the lock of another process. */
#define BLOBFS_LOCK_MS 10000

/*
 * Opens the image at PATH, for changing if WRITE. A reader keeps its state whatever is
 * written meanwhile; one writer excludes the other (-ETIMEDOUT, STATUS_TIMEOUT). That a
 * superblock cannot be read is said to a reader, and refused when a change begins. IMAGE
 * must not be moved while it is open.
 */
int blobfs_image_open(struct blobfs_image *image, const char *path, bool write);

/* May be called twice and on a zeroed struct. */
void blobfs_image_close(struct blobfs_image *image);
#define AUTO_BLOBFS_IMAGE __attribute__((cleanup(blobfs_image_close))) struct blobfs_image

/* "sha256:" may stand before the 64 hex digits. STATUS_USAGE for anything else. */
int blobfs_digest_parse(const char *text, uint8_t digest[BLOBFS_DIGEST_SIZE]);

#define BLOBFS_DIGEST_TEXT 72

/* "sha256:" and 64 hex digits. Returns TEXT. */
char *blobfs_digest_text(
	const uint8_t digest[BLOBFS_DIGEST_SIZE], char text[BLOBFS_DIGEST_TEXT]);

#endif
