/* SPDX-License-Identifier: MIT */
#include "blobfs/usage.h"

#include <stdlib.h>

int blobfs_usage_start(struct blobfs_usage *u, uint64_t n_blocks)
{
	u->n_blocks = n_blocks;
	u->map = calloc((size_t)(n_blocks / 4 + 1), 1);
	return u->map ? 0 : error_memory();
}

void blobfs_usage_free(struct blobfs_usage *u)
{
	free(u->map);
	*u = (struct blobfs_usage){0};
}

enum blobfs_use blobfs_usage_get(const struct blobfs_usage *u, uint64_t block)
{
	return (enum blobfs_use)(u->map[block / 4] >> block % 4 * 2 & 3);
}

bool blobfs_usage_mark(
	struct blobfs_usage *u, uint64_t offset, uint64_t size, enum blobfs_use use)
{
	bool good = true;
	uint64_t end;
	if (size == 0)
		return true;
	if (u64_add(offset, size, &end) || u64_div_up(end, BLOBFS_BLOCK) > u->n_blocks)
		return false;
	for (uint64_t i = offset / BLOBFS_BLOCK; i < u64_div_up(end, BLOBFS_BLOCK); i++) {
		enum blobfs_use was = blobfs_usage_get(u, i);
		good = good && (was == BLOBFS_UNUSED ||
				       (was == BLOBFS_SHARED && use == BLOBFS_SHARED));
		u->map[i / 4] = (uint8_t)((u->map[i / 4] & ~(3 << i % 4 * 2)) |
					  (int)use << i % 4 * 2);
	}
	return good;
}

/* Bytes of the tree on the device. */
static uint64_t tree_size(uint64_t size)
{
	uint64_t n = u64_div_up(size, BLOBFS_BLOCK), total = 0;
	if (n <= BLOBFS_FANOUT)
		return n > 1 ? n * BLOBFS_DIGEST_SIZE : 0;
	while (n > 1) {
		n = u64_div_up(n, BLOBFS_FANOUT);
		total += n * BLOBFS_BLOCK;
	}
	return total;
}

bool blobfs_usage_mark_entry(struct blobfs_usage *u, const struct blobfs_entry *entry)
{
	uint64_t rest = entry->size % BLOBFS_BLOCK, tree = tree_size(entry->size);
	bool data = blobfs_usage_mark(u, entry->data, entry->size - rest, BLOBFS_WHOLE);
	bool tail = blobfs_usage_mark(u, entry->tail, rest, BLOBFS_SHARED);
	bool top = blobfs_usage_mark(
		u, entry->tree, tree, tree < BLOBFS_BLOCK ? BLOBFS_SHARED : BLOBFS_WHOLE);
	return data && tail && top;
}
