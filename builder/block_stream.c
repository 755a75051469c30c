/* SPDX-License-Identifier: MIT */
#include "builder/block_stream.h"

#include <string.h>

#include "core/zeros.h"

struct gather {
	int (*give)(void *context, const uint8_t *data, uint64_t number);
	void *context;
	uint64_t number; /* of the block that is being filled */
	bool filling;
	uint8_t block[BLOCK_STREAM_SIZE];
};

static int flush(struct gather *g)
{
	if (!g->filling)
		return 0;
	g->filling = false;
	return is_zeros(SPAN(g->block)) ? 0 : g->give(g->context, g->block, g->number);
}

static int gather(void *context, struct span data, uint64_t offset)
{
	struct gather *g = context;
	for (size_t done = 0; done < data.size;) {
		uint64_t number = (offset + done) / BLOCK_STREAM_SIZE;
		size_t start = (offset + done) % BLOCK_STREAM_SIZE;
		size_t size = BLOCK_STREAM_SIZE - start;
		if (size > data.size - done)
			size = data.size - done;
		if (!g->filling || number != g->number) {
			int r = flush(g);
			if (r < 0)
				return r;
			memset(g->block, 0, sizeof g->block);
			g->number = number;
			g->filling = true;
		}
		memcpy(g->block + start, data.data + done, size);
		done += size;
	}
	return 0;
}

int block_stream(const struct tree *tree, const struct tree_entry *entry,
	int (*give)(void *context, const uint8_t *data, uint64_t number), void *context)
{
	struct gather g = {.give = give, .context = context};
	int r = tree_stream(tree, entry, gather, &g);
	return r < 0 ? r : flush(&g);
}
