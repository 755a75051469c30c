/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_FUZZ_BLOBFS_INPUT_H
#define CAIRN_FUZZ_BLOBFS_INPUT_H

/*
 * What the fuzzers of blobfs make an image of. The first byte of the input says whether
 * to repair the seals of superblocks (1) and pages (2), so that the fuzzer gets behind
 * them; then come superblock A, superblock B, and what follows B.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/reader.h"
#include "core/hash.h"

#define SIZE (BLOBFS_MIN_END + 15 * BLOBFS_BLOCK)

static uint8_t *image;

static int sha256(
	void *context, const uint8_t *data, size_t size, size_t count, uint8_t *digests)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct span s = span_of(data + i * size, size);
		if (hash_parts(HASH_SHA256, &s, 1, digests + i * BLOBFS_DIGEST_SIZE) < 0)
			return -1;
	}
	return 0;
}

static int read_image(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	(void)context;
	memcpy(data, image + offset, size);
	return 0;
}

static void seal(uint64_t offset)
{
	sha256(NULL, image + offset, BLOBFS_SEAL, 1, image + offset + BLOBFS_SEAL);
}

/* Fills IMAGE; false if there is nothing to fill it with. */
static bool lay_out(const uint8_t *data, size_t size)
{
	if (!image && !(image = calloc(1, SIZE)))
		abort();
	if (size < 1)
		return false;
	uint8_t repair = *data++;
	size--;
	memset(image, 0, BLOBFS_BLOCK);
	memset(image + BLOBFS_SUPER_B, 0, SIZE - BLOBFS_SUPER_B);
	for (uint64_t i = 0; size > 0; i++) {
		size_t n = size < BLOBFS_BLOCK ? size : BLOBFS_BLOCK;
		uint64_t at = i == 0 ? 0 : BLOBFS_SUPER_B + (i - 1) * BLOBFS_BLOCK;
		if (at + n > SIZE)
			break;
		memcpy(image + at, data, n);
		data += n;
		size -= n;
		if (repair & 1 && i < 2)
			seal(at);
		if (repair & 2 && i >= 2 && !memcmp(image + at, BLOBFS_INDEX_MAGIC, 8))
			seal(at);
	}
	return true;
}

#endif
