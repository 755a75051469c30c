/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A superblock that is accepted has a tree of sane size, and comes back as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verity_params p, q;
	if (verity_superblock_parse(span_of(data, size), "fuzz", 0, &p) < 0)
		return 0;
	uint64_t tree_size, tree_offset;
	if (verity_tree_size(&p, &tree_size) < 0 || tree_size > INT64_MAX)
		abort();
	if (verity_tree_offset(&p, 4096, &tree_offset) < 0 ||
		tree_offset < 4096 + VERITY_SUPERBLOCK_SIZE)
		abort();
	uint8_t sb[VERITY_SUPERBLOCK_SIZE];
	verity_superblock_write(&p, sb);
	if (verity_superblock_parse(SPAN(sb), "fuzz", 0, &q) < 0 ||
		memcmp(&p, &q, sizeof p))
		abort();
	return 0;
}
