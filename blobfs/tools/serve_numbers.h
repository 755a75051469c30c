/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_TOOLS_SERVE_NUMBERS_H
#define CAIRN_BLOBFS_TOOLS_SERVE_NUMBERS_H

#include <stdbool.h>

#include "blobfs/walk.h"

/*
 * The kernel knows a blob by a number. To keep nothing per blob, the number says where in
 * the index its entry is, which stays while the image is open. Should somebody write to
 * the image all the same, another entry must not pass for that one: the bits that the
 * place leaves over, at least 32, hold a part of a hash of the digest and of a key that
 * nobody else knows.
 */
struct serve_numbers {
	uint8_t key[BLOBFS_DIGEST_SIZE];
	uint64_t first[BLOBFS_MAX_RUNS + 1]; /* entry of each run, counting all runs' */
	unsigned tag_bits;
};

/* For the index of FS. STATUS_FAILED if it has room for more than 2^31 entries. */
int serve_numbers_start(struct serve_numbers *n, const struct blobfs *fs);

/* The number of the blob DIGEST, whose entry is at PLACE; above 2^63. 0 on failure. */
uint64_t serve_number(const struct serve_numbers *n, const struct blobfs_place *place,
	const uint8_t *digest);

/* Where the entry of NUMBER is. False if it is nowhere. */
bool serve_number_place(
	const struct serve_numbers *n, uint64_t number, struct blobfs_place *place);

#endif
