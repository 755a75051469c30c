/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_STORE_H
#define CAIRN_BLOBFS_STORE_H

#include "blobfs/find.h"
#include "blobfs/pending.h"
#include "blobfs/walk.h"
#include "blobfs/writer.h"

struct blobfs_batch;

/*
 * An image that is read and changed. Changes gather until blobfs_store_commit makes all
 * of them one new state; whatever happens before that leaves the image as it was. After a
 * failure a store can only be closed. The caller holds the locks (blobfs/device.h).
 */
struct blobfs_store {
	struct blobfs_device *device; /* the caller's */
	struct blobfs fs;             /* the state that was last committed */
	struct blobfs_slot slots[4];
	struct blobfs_pages *pages; /* of the index; NULL until something is looked up */
	bool fresh;                 /* from blobfs_store_format, never committed */
	bool changing;
	bool refs_changed;
	bool merge_all;  /* the next commit leaves one run, also if nothing changed */
	bool verify_all; /* blobfs_store_has reads all of a blob, not only its top */
	bool rewrite;    /* blobfs_store_has knows nothing that is committed */
	uint8_t refs[BLOBFS_DIGEST_SIZE];
	uint64_t n_unchanged; /* blobs that were there already when they were added */
	struct blobfs_space space;
	struct blobfs_writer writer;
	struct blobfs_pending pending;
	struct blobfs_batch *batch; /* memory of blobfs_add_files */
};

/* Opens an image for reading; blobfs_store_begin makes it ready for changes. */
int blobfs_store_open(struct blobfs_store *s, struct blobfs_device *device);

/* How a new image is made. */
struct blobfs_format {
	uint64_t size;    /* of the device; 0: the image grows, as a file */
	uint8_t uuid[16]; /* zeros: made from the digests of the blobs */
};

/* Wipes the superblocks and begins an image, which exists with the first commit. */
int blobfs_store_format(struct blobfs_store *s, struct blobfs_device *device,
	const struct blobfs_format *format);

/* Begins a change: reads the free list. Once per commit. */
int blobfs_store_begin(struct blobfs_store *s);

/* Makes what changed durable, all or nothing. Without changes nothing is written. */
int blobfs_store_commit(struct blobfs_store *s);

/* May be called twice and on a zeroed struct. */
void blobfs_store_close(struct blobfs_store *s);

/*
 * Whether the blob is there, counting what was added or removed since the last commit: 1
 * (its size verified, unless it was just added) or 0. A damaged one is not there, as far
 * as is looked: with `verify_all`, adding a blob again heals it wherever it is damaged.
 */
int blobfs_store_has(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/*
 * The same for who has the blob and made its tree: TOP is the tree's top block without
 * the zeros at its end, or all of a blob of at most one block. What is stored is compared
 * with that, which shows as much as hashing it and is quicker.
 */
int blobfs_store_has_same(struct blobfs_store *s,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size, struct span top);

/* Takes a blob out of the index. Its space comes back with gc. -ENOENT: not there. */
int blobfs_store_remove(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/* All of a committed blob of at most LIMIT bytes is appended to B, verified. */
int blobfs_store_load(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	uint64_t limit, struct buffer *b);

#endif
