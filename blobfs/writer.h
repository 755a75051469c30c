/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_WRITER_H
#define CAIRN_BLOBFS_WRITER_H

#include "blobfs/space.h"

/*
 * How bytes get onto the device: what follows each other is gathered to large writes, and
 * small parts are packed into shared blocks. Nothing is on the device before
 * blobfs_writer_finish, and nothing is durable before the device is flushed.
 */
#define BLOBFS_WRITER_PACKS 32

struct blobfs_writer {
	struct blobfs_device *device;
	struct blobfs_space *space;
	uint8_t *buffer;
	size_t buffered;
	uint64_t buffer_offset;
	unsigned n_packs;
	struct blobfs_pack *packs;
};

int blobfs_writer_start(struct blobfs_writer *w, struct blobfs_device *device,
	struct blobfs_space *space);
int blobfs_writer_write(
	struct blobfs_writer *w, uint64_t offset, const void *data, size_t size);

/* Puts at most a block's bytes somewhere within one block: *OFFSET says where. */
int blobfs_writer_pack(
	struct blobfs_writer *w, const void *data, size_t size, uint64_t *offset);
int blobfs_writer_finish(struct blobfs_writer *w);

/* Forgets what was not written. May be called twice and on a zeroed struct. */
void blobfs_writer_stop(struct blobfs_writer *w);

#endif
