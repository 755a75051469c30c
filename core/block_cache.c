/* SPDX-License-Identifier: MIT */
#include "core/block_cache.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)BLOCK_CACHE_BLOCK)

void block_cache_free(struct block_cache *c)
{
	free(c->blocks);
	*c = (struct block_cache){.file = c->file};
}

/* The whole block NUMBER; NULL if it cannot be had. */
static const uint8_t *get_block(struct block_cache *c, uint64_t number)
{
	size_t slot = number % BLOCK_CACHE_SLOTS, n;
	if (!c->blocks && !(c->blocks = malloc(BLOCK_CACHE_SLOTS * BLOCK)))
		return NULL;
	uint8_t *block = c->blocks + slot * BLOCK;
	if (c->held[slot] == number + 1)
		return block;
	c->held[slot] = 0;
	if (file_read_some(c->file, block, BLOCK, number * BLOCK, &n) < 0) {
		error_clear();
		return NULL;
	}
	if (n < BLOCK)
		return NULL;
	c->held[slot] = number + 1;
	return block;
}

int block_cache_read(void *context, void *data, size_t size, uint64_t offset)
{
	struct block_cache *c = context;
	uint8_t *to = data;
	while (size && size <= BLOCK) {
		size_t inside = (size_t)(offset % BLOCK), n = BLOCK - inside;
		const uint8_t *block = get_block(c, offset / BLOCK);
		/* The end of the file, or a bad sector: what is wanted may be there. */
		if (!block)
			break;
		n = n < size ? n : size;
		memcpy(to, block + inside, n);
		to += n;
		offset += n;
		size -= n;
	}
	return size ? file_read(c->file, to, size, offset) : 0;
}
