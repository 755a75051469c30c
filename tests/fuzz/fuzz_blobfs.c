/* SPDX-License-Identifier: MIT */
/*
 * An image of any bytes: opened, every entry of its index looked up and read. The input's
 * first byte says whether to repair the seals, so that the fuzzer gets behind them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/reader.h"
#include "core/hash.h"

#define SIZE  (BLOBFS_MIN_END + 15 * BLOBFS_BLOCK)
#define SLOTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Block 0 of the input is superblock A, block 1 superblock B, the rest what follows B. */
static void lay_out(const uint8_t *data, size_t size, uint8_t repair)
{
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
}

static void read_blob(struct blobfs *fs, const struct blobfs_entry *entry)
{
	static uint8_t buffer[5 * BLOBFS_BLOCK];
	struct blobfs_blob blob;
	struct blobfs_entry found;
	size_t n;
	if (blobfs_find(fs, entry->digest, &found) == 0 &&
		memcmp(found.digest, entry->digest, sizeof found.digest) != 0)
		abort();
	if (blobfs_open_entry(fs, entry, &blob) != 0)
		return;
	if (blobfs_read(fs, &blob, 100, buffer, sizeof buffer, &n) == 0 &&
		n != (blob.entry.size < 100 ? 0
			     : blob.entry.size - 100 < sizeof buffer
				     ? blob.entry.size - 100
				     : sizeof buffer))
		abort();
	blobfs_read(fs, &blob, blob.entry.size - 1, buffer, 10, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct blobfs fs;
	static struct blobfs_slot slots[SLOTS];
	struct blobfs_platform platform = {NULL, SIZE, read_image, sha256};
	if (!image && !(image = calloc(1, SIZE)))
		abort();
	if (size < 1)
		return 0;
	lay_out(data + 1, size - 1, data[0]);
	if (blobfs_open(&fs, &platform, slots, SLOTS) != 0)
		return 0;
	for (uint32_t i = 0; i < fs.n_runs; i++)
		for (uint64_t page = 0; page < fs.runs[i].pages && page < 16; page++) {
			uint32_t count;
			if (blobfs_read_page(&fs, &fs.runs[i], page, &count) != 0)
				continue;
			for (uint32_t e = 0; e < count; e++) {
				struct blobfs_entry entry;
				if (blobfs_read_page(&fs, &fs.runs[i], page, &count) != 0)
					break;
				blobfs_page_entry(&fs, e, &entry);
				read_blob(&fs, &entry);
			}
		}
	return 0;
}
