/* SPDX-License-Identifier: MIT */
/* An image of any bytes: opened, every entry of its index looked up and read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/blobfs_input.h"

#define SLOTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	if (!lay_out(data, size))
		return 0;
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
