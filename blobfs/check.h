/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_CHECK_H
#define CAIRN_BLOBFS_CHECK_H

#include "blobfs/store.h"

/*
 * Checks an image: both superblocks, every page of the index, every blob's size, tree and
 * bytes, what overlaps, the free list, and that refs lead somewhere. Nothing is written.
 */
struct blobfs_check {
	unsigned jobs;  /* threads; 0: one per processor */
	bool skip_data; /* only what the superblock, the index and the tops say */
	bool all;       /* name every bad block, else the first of each blob */
	void *context;
	/*
	 * Gets each finding as one sentence: STATUS_CONTENT, STATUS_FORMAT, or
	 * STATUS_UNCHECKED for a superblock that cannot be read.
	 */
	void (*found)(void *context, enum status status, const char *sentence);
	/* What was looked at; set by the check. */
	uint64_t n_blobs;
	uint64_t n_bytes; /* of blobs */
	uint64_t n_free;  /* blocks in the free list */
	uint64_t n_lost;  /* blocks that neither are used nor in the free list */
	uint64_t n_findings;
	char bad_super; /* 'A' or 'B': torn, and not the one that counts; or 0 */
	enum status worst;
};

/* 0 if it could be checked, whatever was found; a negative errno if not. */
int blobfs_check(struct blobfs_check *check, struct blobfs_store *s);

#endif
