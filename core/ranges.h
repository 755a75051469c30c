/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_RANGES_H
#define CAIRN_CORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sets of block numbers, as ranges. A zeroed struct is an empty set. The same block must
 * not be added twice before ranges_sort. The number of blocks is always exact; the list
 * of ranges stops growing at RANGES_MAX, and `incomplete` then says so, since an image
 * made to have every second block bad must not take all memory.
 */
#define RANGES_MAX ((size_t)1 << 20)

struct range {
	uint64_t first;
	uint64_t count;
};

struct ranges {
	struct range *items; /* owned */
	size_t n_items;
	size_t capacity;
	uint64_t blocks;
	bool incomplete;
};

int ranges_add(struct ranges *r, uint64_t first, uint64_t count);

/* Puts the ranges into order and joins those that touch. */
void ranges_sort(struct ranges *r);

/* Whether the sorted set contains BLOCK. */
bool ranges_have(const struct ranges *r, uint64_t block);

/* May be called twice. */
void ranges_free(struct ranges *r);

#endif
