/* SPDX-License-Identifier: MIT */
#include "core/merkle.h"

static int check_block_size(uint32_t size, const char *what)
{
	if (!is_power_of_two(size) || size < MERKLE_BLOCK_MIN || size > MERKLE_BLOCK_MAX)
		return error_format(
			"%s block size %u is not a power of two from %d to %d", what,
			size, MERKLE_BLOCK_MIN, MERKLE_BLOCK_MAX);
	return 0;
}

static int check_params(const struct merkle_params *p)
{
	int r = check_block_size(p->data_block_size, "data");
	if (r == 0)
		r = check_block_size(p->tree_block_size, "hash");
	if (r < 0)
		return r;
	if (p->salt_size > MERKLE_SALT_MAX)
		return error_format("a salt of %zu bytes; at most %d are possible",
			p->salt_size, MERKLE_SALT_MAX);
	if (p->data_blocks == 0)
		return error_format("no data blocks");
	/* Nothing larger can be addressed by a file offset. */
	if (p->data_blocks > (uint64_t)INT64_MAX / p->data_block_size)
		return error_format("%ju data blocks of %u bytes are too many",
			(uintmax_t)p->data_blocks, p->data_block_size);
	return 0;
}

static unsigned floor_log2(uint32_t v)
{
	return 31 - (unsigned)__builtin_clz(v);
}

/* Counts blocks from the leaves up, then numbers them from the top down. */
static int place_levels(
	struct merkle_layout *l, uint64_t data_blocks, uint32_t block_size)
{
	uint64_t n = data_blocks;
	while (n > 1) {
		n = ((n - 1) >> l->log2_fanout) + 1;
		l->levels[l->n_levels++].n_blocks = n;
	}
	for (unsigned i = l->n_levels; i-- > 0;) {
		l->levels[i].first = l->tree_blocks;
		l->tree_blocks += l->levels[i].n_blocks;
	}
	if (u64_mul(l->tree_blocks, block_size, &l->tree_size) ||
		l->tree_size > INT64_MAX)
		return error_format("a hash tree of %ju blocks of %u bytes is too large",
			(uintmax_t)l->tree_blocks, block_size);
	return 0;
}

int merkle_layout(const struct merkle_params *p, struct merkle_layout *layout)
{
	*layout = (struct merkle_layout){.digest_size = (uint32_t)hash_size(p->alg)};
	int r = check_params(p);
	if (r < 0)
		return r;
	layout->log2_fanout = floor_log2(p->tree_block_size / layout->digest_size);
	layout->stride = p->kind == MERKLE_VERITY_1
				 ? p->tree_block_size >> layout->log2_fanout
				 : layout->digest_size;
	return place_levels(layout, p->data_blocks, p->tree_block_size);
}

void merkle_damage_free(struct merkle_damage *damage)
{
	ranges_free(&damage->bad_data);
	ranges_free(&damage->bad_tree);
	ranges_free(&damage->unreadable_data);
	ranges_free(&damage->unreadable_tree);
	ranges_free(&damage->unknown_data);
	ranges_free(&damage->unknown_tree);
}
