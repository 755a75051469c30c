/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_ADD_H
#define CAIRN_BLOBFS_ADD_H

#include "blobfs/store.h"

/*
 * Adding blobs to a store that blobfs_store_begin or _format made ready. What is there
 * already is not written again.
 */

/* Where bytes come from: read exactly SIZE at OFFSET; 0 or a negative errno. */
struct blobfs_source {
	void *context;
	uint64_t size;
	int (*read)(void *context, uint64_t offset, void *data, size_t size);
};

/* Adds the bytes of one source; DIGEST gets the blob's name. */
int blobfs_add(struct blobfs_store *s, const struct blobfs_source *source, unsigned jobs,
	uint8_t digest[BLOBFS_DIGEST_SIZE]);

int blobfs_add_span(
	struct blobfs_store *s, struct span data, uint8_t digest[BLOBFS_DIGEST_SIZE]);

/* Called once per file, in order, on the caller's thread. */
struct blobfs_add_result {
	void *context;
	int (*added)(void *context, const char *name,
		const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size);
};

/*
 * Adds N files, which it closes, read and hashed on JOBS threads (0: one per processor)
 * and written in their order. RESULT may be NULL. progress_add counts bytes.
 */
int blobfs_add_files(struct blobfs_store *s, struct file *files, size_t n, unsigned jobs,
	const struct blobfs_add_result *result);

#endif
