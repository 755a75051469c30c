/* SPDX-License-Identifier: MIT */
#include "verifier/unchanged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/block_hash.h"
#include "core/erofs_extents.h"
#include "verifier/locate.h"
#include "verifier/probe.h"

/* Larger trees are not kept in memory: 256 MiB are over 32 GiB of data. */
#define TREE_MAX ((uint64_t)256 << 20)

struct side_tree {
	const struct unchanged_side *side;
	struct merkle_layout layout;
	uint8_t *blocks; /* owned: all of the tree */
};

void unchanged_free(struct unchanged *u)
{
	free(u->touched[0]);
	free(u->touched[1]);
	*u = (struct unchanged){0};
}

/* ---- trees ------------------------------------------------------------------------- */

static int tree_is_wrong(const struct side_tree *t, uint64_t block)
{
	uint64_t at = t->side->tree_offset + block * t->side->params.hash_block_size;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: offset %ju: tree block is not what its hash says",
		t->side->file->name, (uintmax_t)at);
}

/* Every block against its digest in the level above, from the root down. */
static int check_tree(const struct side_tree *t, const struct block_hash *h)
{
	const struct merkle_layout *l = &t->layout;
	size_t size = t->side->params.hash_block_size;
	uint8_t digest[HASH_MAX_SIZE];
	for (unsigned level = l->n_levels; level-- > 0;) {
		const struct merkle_level *here = &l->levels[level];
		for (uint64_t i = 0; i < here->n_blocks; i++) {
			uint64_t block = here->first + i;
			const uint8_t *wanted = t->side->root;
			if (level + 1 < l->n_levels)
				wanted = t->blocks + l->levels[level + 1].first * size +
					 (i >> l->log2_fanout) * size +
					 (i & ((UINT64_C(1) << l->log2_fanout) - 1)) *
						 l->stride;
			int r = block_hash_run(
				h, t->blocks + block * size, 1, digest, l->digest_size);
			if (r < 0)
				return r;
			if (memcmp(digest, wanted, l->digest_size))
				return tree_is_wrong(t, block);
		}
	}
	return 0;
}

static int load_tree(struct side_tree *t, const struct unchanged_side *side)
{
	struct merkle_params p = verity_merkle(&side->params);
	struct span salt = span_of(p.salt, p.salt_size), none = {0};
	AUTO_BLOCK_HASH h = {0};
	t->side = side;
	int r = merkle_layout(&p, &t->layout);
	if (r < 0)
		return r;
	if (t->layout.tree_size > TREE_MAX || t->layout.n_levels == 0)
		return 1;
	t->blocks = malloc((size_t)t->layout.tree_size);
	if (!t->blocks)
		return error_memory();
	r = file_read(
		side->file, t->blocks, (size_t)t->layout.tree_size, side->tree_offset);
	bool first = side->params.version == 1;
	if (r == 0)
		r = block_hash_init(&h, p.alg, p.tree_block_size, first ? salt : none,
			first ? none : salt);
	return r < 0 ? r : check_tree(t, &h);
}

static const uint8_t *leaf(const struct side_tree *t, uint64_t block)
{
	const struct merkle_layout *l = &t->layout;
	uint64_t index = block >> l->log2_fanout;
	return t->blocks +
	       (l->levels[0].first + index) * t->side->params.hash_block_size +
	       (block & ((UINT64_C(1) << l->log2_fanout) - 1)) * l->stride;
}

/* Asks both locators for the blocks whose leaves differ, or that only one has. */
static int want_differing(
	struct unchanged *u, const struct side_tree t[2], struct locator l[2])
{
	uint64_t n[2] = {t[0].side->params.data_blocks, t[1].side->params.data_blocks};
	uint64_t size = t[0].side->params.data_block_size,
		 most = n[0] > n[1] ? n[0] : n[1];
	int r = 0;
	for (uint64_t i = 0; r == 0 && i < most; i++) {
		if (i < n[0] && i < n[1] &&
			!memcmp(leaf(&t[0], i), leaf(&t[1], i), t[0].layout.digest_size))
			continue;
		u->n_blocks++;
		for (unsigned k = 0; r == 0 && k < 2; k++)
			if (i < n[k])
				r = locator_want(&l[k], i * size, size);
	}
	return r;
}

/* ---- files ------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The inodes that L found. Returns 1 if it found what all files depend on. */
static int take_inodes(struct unchanged *u, unsigned k, const struct locator *l)
{
	u->touched[k] = calloc(l->n_items + 1, sizeof *u->touched[k]);
	if (!u->touched[k])
		return error_memory();
	for (size_t i = 0; i < l->n_items; i++) {
		const struct located *item = &l->items[i];
		if (item->kind == LOCATED_UNKNOWN ||
			(item->kind == LOCATED_META && strcmp(item->what, "superblock")))
			return 1;
		if (item->kind == LOCATED_DATA)
			u->touched[k][u->n_touched[k]++] = item->inode;
	}
	if (u->n_touched[k])
		qsort(u->touched[k], u->n_touched[k], sizeof *u->touched[k], by_number);
	return l->n_faults || l->incomplete;
}

/* 1 if what makes two places the same content is not so on both sides. */
static int open_both(struct unchanged *u, const struct unchanged_side *const sides[2])
{
	uint64_t packed[2] = {0};
	int r = 0;
	for (unsigned k = 0; r == 0 && k < 2; k++) {
		const struct unchanged_side *s = sides[k];
		r = erofs_open(&u->e[k], s->file, s->data_offset, s->data_size);
		if (r == 0)
			r = erofs_packed(&u->e[k], &packed[k]);
	}
	/* A packed file would be part of many others. */
	return r < 0 ? r
		     : packed[0] || packed[1] || u->e[0].block_bits != u->e[1].block_bits;
}

static bool is_erofs(const struct unchanged_side *s)
{
	struct probe probe;
	return probe_file_system(s->file, s->data_offset, s->data_size, &probe) == 0 &&
	       probe.kind == PROBE_EROFS;
}

static bool same_parameters(const struct verity_params *a, const struct verity_params *b)
{
	return a->version == b->version && a->alg == b->alg &&
	       a->data_block_size == b->data_block_size &&
	       a->hash_block_size == b->hash_block_size && a->salt_size == b->salt_size &&
	       !memcmp(a->salt, b->salt, a->salt_size);
}

static int find(struct unchanged *u, struct side_tree t[2],
	const struct unchanged_side *const sides[2], struct locator l[2])
{
	int r = 0;
	for (unsigned k = 0; r == 0 && k < 2; k++) {
		locator_init(&l[k], sides[k]->file, sides[k]->data_offset,
			sides[k]->data_size);
		r = load_tree(&t[k], sides[k]);
	}
	if (r == 0)
		r = want_differing(u, t, l);
	for (unsigned k = 0; r == 0 && k < 2; k++) {
		r = locate(&l[k]);
		if (r == 0)
			r = take_inodes(u, k, &l[k]);
	}
	return r;
}

int unchanged_find(struct unchanged *u, const struct unchanged_side *a,
	const struct unchanged_side *b)
{
	const struct unchanged_side *const sides[2] = {a, b};
	struct side_tree t[2] = {0};
	struct locator l[2] = {0};
	if (!same_parameters(&a->params, &b->params) || !is_erofs(a) || !is_erofs(b))
		return 1;
	int r = open_both(u, sides);
	if (r == 0)
		r = find(u, t, sides, l);
	for (unsigned k = 0; k < 2; k++) {
		free(t[k].blocks);
		locator_free(&l[k]);
	}
	return r;
}

/* ---- two files --------------------------------------------------------------------- */

static int append_extent(void *context, const struct erofs_extent *x)
{
	const uint64_t numbers[] = {x->offset, x->length, x->place, x->stored,
		(uint64_t)x->coding << 4 | (uint64_t)x->shifted << 3 |
			(uint64_t)x->interlaced << 2 | (uint64_t)x->partial << 1 |
			(uint64_t)x->fragment};
	return buffer_append(context, numbers, sizeof numbers);
}

static int extents_of(const struct erofs *e, uint64_t nid, struct buffer *extents)
{
	struct erofs_inode inode;
	int r = erofs_inode(e, nid, &inode);
	return r < 0 ? r : erofs_extents(e, &inode, NULL, append_extent, extents);
}

bool unchanged_same(
	void *context, const struct files_entry *a, const struct files_entry *b)
{
	const struct unchanged *u = context;
	const struct files_entry *const entries[2] = {a, b};
	BUFFER x = {0};
	BUFFER y = {0};
	for (unsigned k = 0; k < 2; k++)
		if (u->n_touched[k] &&
			bsearch(&entries[k]->inode, u->touched[k], u->n_touched[k],
				sizeof *u->touched[k], by_number))
			return false;
	/* What cannot be told here shows when the files are read. */
	return extents_of(&u->e[0], a->handle, &x) == 0 &&
	       extents_of(&u->e[1], b->handle, &y) == 0 && x.size == y.size &&
	       (x.size == 0 || !memcmp(x.data, y.data, x.size));
}
