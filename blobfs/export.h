/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_EXPORT_H
#define CAIRN_BLOBFS_EXPORT_H

#include "blobfs/store.h"

/* Blobs out of an image, verified before a byte of them is written anywhere. */

/* Writes a blob to FD, which NAME is for messages. What came before damage is written. */
int blobfs_export_fd(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	int fd, const char *name);

/* The same to a file, whole or not at all; an existing one is only replaced if REPLACE.
 */
int blobfs_export_file(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	const char *path, bool replace);

/* All blobs below the directory PATH, made if missing, as ab/cdef...; others stay. */
int blobfs_export_all(struct blobfs_store *s, const char *path);

#endif
