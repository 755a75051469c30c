/* SPDX-License-Identifier: MIT */
#include "verifier/hash_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More above the leaves is not kept in memory: that is over 4 TiB of data. */
#define UPPER_MAX ((uint64_t)256 << 20)
/* Leaves that were looked at are: those of 8 GiB, or the last ones. */
#define LEAVES_MAX ((uint64_t)64 << 20)
/* So often a block of them may be loaded on the average; more is made to keep us busy. */
#define LOADS_MAX 16u
/* Checked at once. */
#define PIECE ((size_t)256 << 10)
#define BATCH 32u

void hash_tree_close(struct hash_tree *t)
{
	free(t->upper);
	free(t->leaves);
	free(t->held);
	block_hash_free(&t->hash);
	*t = (struct hash_tree){0};
}

int hash_tree_open(struct hash_tree *t, const struct file *f, uint64_t offset,
	const struct verity_params *p, const uint8_t *root, bool claims)
{
	struct merkle_params m = verity_merkle(p);
	struct span salt = span_of(m.salt, m.salt_size), none = {0};
	bool first = p->version == 1;
	*t = (struct hash_tree){.file = f,
		.offset = offset,
		.block_size = p->hash_block_size,
		.claims = claims};
	memcpy(t->root, root, hash_size(p->alg));
	int r = merkle_layout(&m, &t->layout);
	if (r < 0)
		return r;
	if (t->layout.n_levels == 0 ||
		t->layout.levels[0].first > UPPER_MAX / t->block_size)
		return 1;
	uint64_t n = t->layout.levels[0].n_blocks, most = LEAVES_MAX / t->block_size;
	t->n_slots = n < most ? n : most;
	t->n_loads = n * LOADS_MAX;
	t->upper = malloc((size_t)t->layout.levels[0].first * t->block_size + 1);
	t->leaves = malloc((size_t)t->n_slots * t->block_size);
	t->held = calloc((size_t)t->n_slots, sizeof *t->held);
	if (!t->upper || !t->leaves || !t->held)
		return error_memory();
	return block_hash_init(&t->hash, m.alg, m.tree_block_size, first ? salt : none,
		first ? none : salt);
}

/* Where the digest of block I of LEVEL is: in the level above, or it is the root. */
static const uint8_t *digest_of(const struct hash_tree *t, unsigned level, uint64_t i)
{
	const struct merkle_layout *l = &t->layout;
	uint64_t above = i >> l->log2_fanout;
	if (level + 1 == l->n_levels)
		return t->root;
	return t->upper + (l->levels[level + 1].first + above) * t->block_size +
	       (i - (above << l->log2_fanout)) * l->stride;
}

/* ---- checking ---------------------------------------------------------------------- */

static int wrong_block(const struct hash_tree *t, unsigned level, uint64_t i)
{
	uint64_t block = t->layout.levels[level].first + i;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: offset %ju: tree block is not what its hash says", t->file->name,
		(uintmax_t)(t->offset + block * t->block_size));
}

/* BLOCKS are the N of LEVEL from I on. */
static int check_blocks(const struct hash_tree *t, unsigned level, uint64_t i,
	const uint8_t *blocks, uint64_t n)
{
	uint8_t digests[BATCH * HASH_MAX_SIZE];
	while (n) {
		size_t batch = n < BATCH ? (size_t)n : BATCH;
		int r = block_hash_run(&t->hash, blocks, batch, digests, HASH_MAX_SIZE);
		if (r < 0)
			return r;
		for (size_t k = 0; k < batch; k++)
			if (memcmp(digests + k * HASH_MAX_SIZE,
				    digest_of(t, level, i + k), t->layout.digest_size))
				return wrong_block(t, level, i + k);
		blocks += batch * t->block_size;
		i += batch;
		n -= batch;
	}
	return 0;
}

/* Reads and checks N blocks of the lowest level from I on. */
static int load_leaves(const struct hash_tree *t, uint64_t i, uint8_t *blocks, uint64_t n)
{
	uint64_t block = t->layout.levels[0].first + i;
	int r = file_read(t->file, blocks, (size_t)n * t->block_size,
		t->offset + block * t->block_size);
	return r < 0 || t->claims ? r : check_blocks(t, 0, i, blocks, n);
}

int hash_tree_check(struct hash_tree *t)
{
	const struct merkle_level *levels = t->layout.levels;
	uint64_t n = levels[0].n_blocks, step = PIECE / t->block_size;
	int r = file_read(
		t->file, t->upper, (size_t)levels[0].first * t->block_size, t->offset);
	if (r < 0 || t->claims)
		return r;
	for (unsigned level = t->layout.n_levels; r == 0 && --level > 0;)
		r = check_blocks(t, level, 0,
			t->upper + levels[level].first * t->block_size,
			levels[level].n_blocks);
	uint8_t *piece = malloc(PIECE);
	if (!piece)
		return error_memory();
	for (uint64_t i = 0; r == 0 && i < n; i += step)
		r = load_leaves(t, i, piece, n - i < step ? n - i : step);
	free(piece);
	return r;
}

/* ---- comparing --------------------------------------------------------------------- */

/* Block I of the lowest level; NULL if it is not to be had (any more). */
static const uint8_t *get_leaves(struct hash_tree *t, uint64_t i)
{
	uint64_t slot = i % t->n_slots;
	uint8_t *block = t->leaves + slot * t->block_size;
	if (t->held[slot] == i + 1)
		return block;
	if (t->n_loads == 0)
		return NULL;
	t->n_loads--;
	t->held[slot] = 0;
	if (load_leaves(t, i, block, 1) < 0) {
		error_clear();
		return NULL;
	}
	t->held[slot] = i + 1;
	return block;
}

/* N leaves from I and K on, which are in one block each. */
static enum sameness compare_few(
	struct hash_tree *a, uint64_t i, struct hash_tree *b, uint64_t k, uint64_t n)
{
	const struct merkle_layout *l = &a->layout;
	uint64_t mask = (UINT64_C(1) << l->log2_fanout) - 1;
	uint64_t x = i >> l->log2_fanout, y = k >> l->log2_fanout;
	/* Blocks of one digest are the same, if they were held to it. */
	if (!a->claims && (i & mask) == (k & mask) &&
		!memcmp(digest_of(a, 0, x), digest_of(b, 0, y), l->digest_size))
		return SAMENESS_SAME;
	const uint8_t *p = get_leaves(a, x), *q = get_leaves(b, y);
	if (!p || !q)
		return SAMENESS_UNKNOWN;
	p += (i & mask) * l->stride;
	q += (k & mask) * l->stride;
	for (; n; n--, p += l->stride, q += l->stride)
		if (memcmp(p, q, l->digest_size))
			return SAMENESS_DIFFERENT;
	return SAMENESS_SAME;
}

enum sameness hash_tree_compare(
	struct hash_tree *a, uint64_t i, struct hash_tree *b, uint64_t k, uint64_t n)
{
	uint64_t fanout = UINT64_C(1) << a->layout.log2_fanout;
	enum sameness s = SAMENESS_SAME;
	while (n && s == SAMENESS_SAME) {
		uint64_t x = i % fanout, y = k % fanout;
		uint64_t left = fanout - (x > y ? x : y), step = left < n ? left : n;
		s = compare_few(a, i, b, k, step);
		i += step;
		k += step;
		n -= step;
	}
	return s;
}
