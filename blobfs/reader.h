/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_READER_H
#define CAIRN_BLOBFS_READER_H

/*
 * The reader of blobfs: freestanding, without allocation, for user space, kernels and
 * boot loaders alike. An image is hostile: what it says can make a blob missing or
 * unreadable, never different from its digest. Bytes reach the caller only after they
 * were hashed, where they lie, and the hash was found along the blob's tree.
 *
 * A struct blobfs belongs to one thread. Several threads use one each; nothing is
 * written.
 */

#include <stddef.h>

#include "blobfs/format.h"

/* What every function here returns: 0 or one of these. */
enum blobfs_error {
	BLOBFS_GOOD = 0,
	BLOBFS_MISSING,     /* the index has no such blob */
	BLOBFS_NOT_ONE,     /* there is no superblock */
	BLOBFS_UNSUPPORTED, /* a later version, or a feature this reader does not know */
	BLOBFS_MALFORMED,   /* a superblock, page or entry that makes no sense */
	BLOBFS_DAMAGED,     /* bytes are not what their hash says */
	BLOBFS_IO,          /* the platform could not read or hash */
};

/* What the reader needs of its surroundings. */
struct blobfs_platform {
	void *context;
	uint64_t size; /* of the device, in bytes */
	/* Reads exactly SIZE bytes at OFFSET, within the device. 0, or not 0 on failure.
	 */
	int (*read)(void *context, uint64_t offset, uint8_t *data, size_t size);
	/*
	 * SHA-256 of COUNT (at least 1) pieces of SIZE bytes that follow each other; the
	 * digests follow each other at DIGESTS. 0, or not 0 on failure.
	 */
	int (*hash)(void *context, const uint8_t *data, size_t size, size_t count,
		uint8_t *digests);
};

/* A verified tree block, kept under its own hash, never under where it was. */
struct blobfs_slot {
	uint8_t hash[BLOBFS_DIGEST_SIZE];
	uint32_t valid;
	uint8_t block[BLOBFS_BLOCK];
};

struct blobfs_run {
	uint64_t offset;
	uint64_t pages;
};

/* An open image. The parsed superblock may be read; the rest is the reader's own. */
struct blobfs {
	struct blobfs_platform platform;
	struct blobfs_slot *slots;
	uint32_t n_slots;
	uint32_t n_runs;
	uint32_t unread; /* superblocks that could not be read; 1: A, 2: B */
	uint64_t compatible;
	uint64_t ro_compatible;
	uint64_t generation;
	uint64_t device_size;
	uint64_t used_end;
	uint64_t free_entries;
	struct blobfs_run free;
	struct blobfs_run runs[BLOBFS_MAX_RUNS];
	uint8_t uuid[16];
	uint8_t refs[BLOBFS_DIGEST_SIZE];
	uint64_t bad_offset; /* in the image: what the last error was about */
	uint8_t block[BLOBFS_BLOCK];
	uint8_t digests[BLOBFS_BLOCK];
};

/* An index entry as found: nothing of it is verified. */
struct blobfs_entry {
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	uint64_t size;
	uint64_t data;
	uint64_t tree;
	uint64_t tail;
};

/* An open blob: `size` and `root` are verified, the places are hints. */
struct blobfs_blob {
	struct blobfs_entry entry;
	uint8_t root[BLOBFS_DIGEST_SIZE];
	uint32_t levels; /* of the tree: 1 holds the hashes of the data; 0: no tree */
	uint64_t level_offset[BLOBFS_MAX_LEVELS + 1]; /* 0: the data's full blocks */
};

/*
 * Opens the image. SLOTS is memory for N_SLOTS (at least 1) tree blocks, which the caller
 * keeps as long as FS; more slots save hashing tree blocks again. Both need no
 * initialization. BLOBFS_NOT_ONE, _UNSUPPORTED, _MALFORMED, _DAMAGED or _IO. If
 * FS->unread is not 0, a newer state than this one may be in the superblock that cannot
 * be read.
 */
int blobfs_open(struct blobfs *fs, const struct blobfs_platform *platform,
	struct blobfs_slot *slots, uint32_t n_slots);

/* Looks DIGEST up; the entry's extents are within the device, its content unverified. */
int blobfs_find(struct blobfs *fs, const uint8_t *digest, struct blobfs_entry *entry);

/* Looks DIGEST up and verifies its size and the top of its tree. */
int blobfs_open_blob(struct blobfs *fs, const uint8_t *digest, struct blobfs_blob *blob);

/* The same for an ENTRY that came from elsewhere (a walk over the index). */
int blobfs_open_entry(
	struct blobfs *fs, const struct blobfs_entry *entry, struct blobfs_blob *blob);

/*
 * Reads at most SIZE bytes at OFFSET of BLOB; *N_READ is less only at its end. On failure
 * DATA holds nothing of a block that was not verified, and *N_READ is what precedes it.
 */
int blobfs_read(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t offset,
	uint8_t *data, size_t size, size_t *n_read);

/*
 * Reads an index page into FS->block and checks seal, magic and count. *COUNT is the
 * number of entries; blobfs_page_entry takes one out.
 */
int blobfs_read_page(
	struct blobfs *fs, const struct blobfs_run *run, uint64_t page, uint32_t *count);
void blobfs_page_entry(
	const struct blobfs *fs, uint32_t number, struct blobfs_entry *entry);

#endif
