/* SPDX-License-Identifier: MIT */
#include "core/ranges.h"

#include <stdlib.h>

#include "core/error.h"

int ranges_add(struct ranges *r, uint64_t first, uint64_t count)
{
	if (count == 0)
		return 0;
	r->blocks += count;
	struct range *last = r->n_items ? &r->items[r->n_items - 1] : NULL;
	if (last && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	if (r->n_items == RANGES_MAX) {
		r->incomplete = true;
		return 0;
	}
	if (r->n_items == r->capacity) {
		size_t capacity = r->capacity ? 2 * r->capacity : 16;
		struct range *items = reallocarray(r->items, capacity, sizeof *items);
		if (!items)
			return error_memory();
		r->items = items;
		r->capacity = capacity;
	}
	r->items[r->n_items++] = (struct range){first, count};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	return (x->first > y->first) - (x->first < y->first);
}

void ranges_sort(struct ranges *r)
{
	if (r->n_items == 0)
		return;
	qsort(r->items, r->n_items, sizeof *r->items, compare);
	size_t last = 0;
	for (size_t i = 1; i < r->n_items; i++) {
		struct range *kept = &r->items[last];
		if (r->items[i].first == kept->first + kept->count)
			kept->count += r->items[i].count;
		else
			r->items[++last] = r->items[i];
	}
	r->n_items = last + 1;
}

bool ranges_have(const struct ranges *r, uint64_t block)
{
	size_t low = 0, high = r->n_items;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *x = &r->items[middle];
		if (block < x->first)
			high = middle;
		else if (block - x->first >= x->count)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

void ranges_free(struct ranges *r)
{
	free(r->items);
	*r = (struct ranges){0};
}
