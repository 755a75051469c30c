/* SPDX-License-Identifier: MIT */
#include "verifier/unchanged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/block_hash.h"

/* Larger trees are not kept in memory: 256 MiB are over 32 GiB of data. */
#define TREE_MAX ((uint64_t)256 << 20)

void unchanged_free(struct unchanged *u)
{
	free(u->trees[0].blocks);
	free(u->trees[1].blocks);
	*u = (struct unchanged){0};
}

/* ---- trees ------------------------------------------------------------------------- */

static int tree_is_wrong(const struct unchanged_tree *t, uint64_t block)
{
	uint64_t at = t->side->tree_offset + block * t->side->params.hash_block_size;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: offset %ju: tree block is not what its hash says",
		t->side->file->name, (uintmax_t)at);
}

/* Every block against its digest in the level above, from the root down. */
static int check_tree(const struct unchanged_tree *t, const struct block_hash *h)
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

static int load_tree(
	struct unchanged_tree *t, const struct unchanged_side *side, bool claims)
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
	if (r < 0 || claims)
		return r;
	bool first = side->params.version == 1;
	r = block_hash_init(
		&h, p.alg, p.tree_block_size, first ? salt : none, first ? none : salt);
	return r < 0 ? r : check_tree(t, &h);
}

static const uint8_t *leaf(const struct unchanged_tree *t, uint64_t block)
{
	const struct merkle_layout *l = &t->layout;
	uint64_t index = block >> l->log2_fanout;
	return t->blocks +
	       (l->levels[0].first + index) * t->side->params.hash_block_size +
	       (block & ((UINT64_C(1) << l->log2_fanout) - 1)) * l->stride;
}

static bool same_parameters(const struct verity_params *a, const struct verity_params *b)
{
	return a->version == b->version && a->alg == b->alg &&
	       a->data_block_size == b->data_block_size &&
	       a->hash_block_size == b->hash_block_size && a->salt_size == b->salt_size &&
	       !memcmp(a->salt, b->salt, a->salt_size);
}

int unchanged_find(struct unchanged *u, const struct unchanged_side *a,
	const struct unchanged_side *b, bool claims)
{
	if (!same_parameters(&a->params, &b->params))
		return 1;
	int r = load_tree(&u->trees[0], a, claims);
	return r ? r : load_tree(&u->trees[1], b, claims);
}

/* ---- bytes on both sides ----------------------------------------------------------- */

/* Bytes of one block of each side, neither a whole one; they are read. */
static enum sameness compare_bytes(
	const struct unchanged *u, const uint64_t place[2], size_t size)
{
	uint8_t *data[2] = {malloc(size), malloc(size)};
	int r = data[0] && data[1] ? 0 : -1;
	for (unsigned k = 0; r == 0 && k < 2; k++) {
		const struct unchanged_side *s = u->trees[k].side;
		r = file_read(s->file, data[k], size, s->data_offset + place[k]);
	}
	enum sameness result = r < 0                            ? SAMENESS_UNKNOWN
			       : memcmp(data[0], data[1], size) ? SAMENESS_DIFFERENT
								: SAMENESS_SAME;
	free(data[0]);
	free(data[1]);
	return result;
}

/* SIZE bytes at PLACE of each side that are inside of a block each. */
static enum sameness compare_block(
	const struct unchanged *u, const uint64_t place[2], size_t size)
{
	const struct unchanged_tree *t = u->trees;
	uint64_t block_size = t[0].side->params.data_block_size;
	if (place[0] % block_size != place[1] % block_size)
		return compare_bytes(u, place, size);
	if (!memcmp(leaf(&t[0], place[0] / block_size),
		    leaf(&t[1], place[1] / block_size), t[0].layout.digest_size))
		return SAMENESS_SAME;
	return size == block_size ? SAMENESS_DIFFERENT : compare_bytes(u, place, size);
}

static bool is_inside(const struct unchanged_side *s, uint64_t place, uint64_t size)
{
	return place <= s->data_size && size <= s->data_size - place;
}

/* Any bytes: whole blocks by their leaves, what is at the ends is read. */
static enum sameness compare_range(
	const struct unchanged *u, uint64_t a, uint64_t b, uint64_t size)
{
	uint64_t block_size = u->trees[0].side->params.data_block_size;
	uint64_t place[2] = {a, b};
	if (!is_inside(u->trees[0].side, a, size) ||
		!is_inside(u->trees[1].side, b, size) ||
		(a % block_size != b % block_size && size >= block_size))
		return SAMENESS_UNKNOWN;
	while (size) {
		uint64_t step = block_size - place[0] % block_size;
		if (step > size || place[0] % block_size != place[1] % block_size)
			step = size;
		enum sameness s = compare_block(u, place, (size_t)step);
		if (s != SAMENESS_SAME)
			return s;
		place[0] += step;
		place[1] += step;
		size -= step;
	}
	return SAMENESS_SAME;
}

/* ---- two files --------------------------------------------------------------------- */

/*
 * A file of a million pieces is read rather than compared piece by piece, and so are all
 * when there were many more: indexes can be made that are parts of one another.
 */
#define PIECES_MAX     ((size_t)1 << 20)
#define PIECES_MAX_ALL ((size_t)1 << 25)

struct keeping {
	struct unchanged *u;
	struct buffer pieces; /* owned; struct files_piece, in order and without gaps */
	size_t n;
	uint64_t end; /* of the last, in the file */
};

static int keep(void *context, const struct files_piece *piece)
{
	struct keeping *k = context;
	if (piece->offset != k->end || ++k->n > PIECES_MAX ||
		++k->u->n_pieces > PIECES_MAX_ALL)
		return 1;
	k->end += piece->length;
	return buffer_append(&k->pieces, piece, sizeof *piece);
}

/* Those of plain bytes may be cut anywhere: DONE bytes of each were compared before. */
static enum sameness compare_plain(const struct unchanged *u,
	const struct files_piece *const p[2], const uint64_t done[2], uint64_t size)
{
	bool holes[2] = {p[0]->place == FILES_HOLE, p[1]->place == FILES_HOLE};
	if (holes[0] || holes[1])
		return holes[0] && holes[1] ? SAMENESS_SAME : SAMENESS_UNKNOWN;
	return compare_range(u, p[0]->place + done[0], p[1]->place + done[1], size);
}

/* The same stored bytes make the same bytes; others may, too. */
static enum sameness compare_coded(
	const struct unchanged *u, const struct files_piece *const p[2])
{
	if (p[0]->length != p[1]->length || p[0]->stored != p[1]->stored ||
		p[0]->how != p[1]->how || p[0]->plain != p[1]->plain ||
		p[0]->place == FILES_HOLE || p[1]->place == FILES_HOLE)
		return SAMENESS_UNKNOWN;
	return compare_range(u, p[0]->place, p[1]->place, p[0]->stored) == SAMENESS_SAME
		       ? SAMENESS_SAME
		       : SAMENESS_UNKNOWN;
}

static bool can_be_cut(const struct files_piece *p)
{
	return p->plain || p->place == FILES_HOLE;
}

/* Ends with the first piece that is not the same, unless a later one is sure to differ.
 */
static enum sameness compare_pieces(const struct unchanged *u,
	const struct files_piece *const lists[2], const size_t n[2])
{
	enum sameness all = SAMENESS_SAME;
	uint64_t done[2] = {0};
	size_t i[2] = {0};
	while (i[0] < n[0] && i[1] < n[1]) {
		const struct files_piece *const p[2] = {&lists[0][i[0]], &lists[1][i[1]]};
		uint64_t left[2] = {p[0]->length - done[0], p[1]->length - done[1]};
		uint64_t step = left[0] < left[1] ? left[0] : left[1];
		enum sameness s = SAMENESS_UNKNOWN;
		if (can_be_cut(p[0]) && can_be_cut(p[1]))
			s = compare_plain(u, p, done, step);
		else if (!done[0] && !done[1])
			s = compare_coded(u, p);
		if (s == SAMENESS_DIFFERENT)
			return s;
		if (s == SAMENESS_UNKNOWN)
			all = s;
		for (unsigned k = 0; k < 2; k++) {
			done[k] += step;
			if (done[k] == p[k]->length) {
				done[k] = 0;
				i[k]++;
			}
		}
	}
	return i[0] == n[0] && i[1] == n[1] ? all : SAMENESS_UNKNOWN;
}

static bool load_pieces(
	struct keeping *k, const struct files *list, const struct files_entry *e)
{
	return files_pieces(list, e, keep, k) == 0 && k->end == e->size;
}

enum sameness unchanged_compare(void *context, const struct files *a,
	const struct files_entry *x, const struct files *b, const struct files_entry *y)
{
	struct keeping first = {.u = context}, second = first;
	enum sameness s = SAMENESS_UNKNOWN;
	if (x->size == 0 && y->size == 0)
		return SAMENESS_SAME;
	/* What cannot be told here shows when the files are read. */
	if (load_pieces(&first, a, x) && load_pieces(&second, b, y)) {
		const struct files_piece *const lists[2] = {
			(const void *)first.pieces.data,
			(const void *)second.pieces.data};
		const size_t n[2] = {first.n, second.n};
		s = compare_pieces(context, lists, n);
	}
	buffer_free(&first.pieces);
	buffer_free(&second.pieces);
	return s;
}
