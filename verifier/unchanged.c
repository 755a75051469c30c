/* SPDX-License-Identifier: MIT */
#include "verifier/unchanged.h"

#include <stdlib.h>
#include <string.h>

#include "core/workers.h"

void unchanged_free(struct unchanged *u)
{
	hash_tree_close(&u->trees[0]);
	hash_tree_close(&u->trees[1]);
	*u = (struct unchanged){0};
}

static bool same_parameters(const struct verity_params *a, const struct verity_params *b)
{
	return a->version == b->version && a->alg == b->alg &&
	       a->data_block_size == b->data_block_size &&
	       a->hash_block_size == b->hash_block_size && a->salt_size == b->salt_size &&
	       !memcmp(a->salt, b->salt, a->salt_size);
}

static int check_tree(void *context, unsigned worker, uint64_t number)
{
	struct hash_tree *trees = context;
	(void)worker;
	return hash_tree_check(&trees[number]);
}

int unchanged_find(struct unchanged *u, const struct unchanged_side *a,
	const struct unchanged_side *b, bool claims)
{
	if (!same_parameters(&a->params, &b->params))
		return 1;
	u->sides[0] = a;
	u->sides[1] = b;
	int r = 0;
	for (unsigned k = 0; r == 0 && k < 2; k++)
		r = hash_tree_open(&u->trees[k], u->sides[k]->file,
			u->sides[k]->tree_offset, &u->sides[k]->params, u->sides[k]->root,
			claims);
	return r ? r : workers_run(0, 2, check_tree, u->trees);
}

/* ---- bytes on both sides ----------------------------------------------------------- */

/* Bytes of one block of each side, neither a whole one; they are read. */
static enum sameness compare_bytes(
	const struct unchanged *u, const uint64_t place[2], size_t size)
{
	uint8_t *data[2] = {malloc(size), malloc(size)};
	int r = data[0] && data[1] ? 0 : -1;
	for (unsigned k = 0; r == 0 && k < 2; k++) {
		const struct unchanged_side *s = u->sides[k];
		r = file_read(s->file, data[k], size, s->data_offset + place[k]);
	}
	enum sameness result = r < 0                            ? SAMENESS_UNKNOWN
			       : memcmp(data[0], data[1], size) ? SAMENESS_DIFFERENT
								: SAMENESS_SAME;
	free(data[0]);
	free(data[1]);
	return result;
}

/* SIZE bytes at PLACE of each side, a part of one block each. */
static enum sameness compare_part(
	struct unchanged *u, const uint64_t place[2], size_t size)
{
	uint64_t block = u->sides[0]->params.data_block_size;
	if (place[0] % block == place[1] % block &&
		hash_tree_compare(&u->trees[0], place[0] / block, &u->trees[1],
			place[1] / block, 1) == SAMENESS_SAME)
		return SAMENESS_SAME;
	return compare_bytes(u, place, size);
}

static bool is_inside(const struct unchanged_side *s, uint64_t place, uint64_t size)
{
	return place <= s->data_size && size <= s->data_size - place;
}

/* Any bytes: whole blocks by their leaves, what is at the ends is read. */
static enum sameness compare_range(
	struct unchanged *u, uint64_t a, uint64_t b, uint64_t size)
{
	uint64_t block = u->sides[0]->params.data_block_size;
	bool aligned = a % block == b % block;
	enum sameness s = SAMENESS_SAME;
	if (!is_inside(u->sides[0], a, size) || !is_inside(u->sides[1], b, size) ||
		(!aligned && size >= block))
		return SAMENESS_UNKNOWN;
	while (size && s == SAMENESS_SAME) {
		uint64_t step = block - a % block;
		if (step > size || !aligned)
			step = size;
		if (step == block)
			step = size - size % block;
		s = step < block ? compare_part(u, (uint64_t[]){a, b}, (size_t)step)
				 : hash_tree_compare(&u->trees[0], a / block,
					   &u->trees[1], b / block, step / block);
		a += step;
		b += step;
		size -= step;
	}
	return s;
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
static enum sameness compare_plain(struct unchanged *u,
	const struct files_piece *const p[2], const uint64_t done[2], uint64_t size)
{
	bool holes[2] = {p[0]->place == FILES_HOLE, p[1]->place == FILES_HOLE};
	if (holes[0] || holes[1])
		return holes[0] && holes[1] ? SAMENESS_SAME : SAMENESS_UNKNOWN;
	return compare_range(u, p[0]->place + done[0], p[1]->place + done[1], size);
}

/* The same stored bytes make the same bytes; others may, too. */
static enum sameness compare_coded(
	struct unchanged *u, const struct files_piece *const p[2])
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
static enum sameness compare_pieces(
	struct unchanged *u, const struct files_piece *const lists[2], const size_t n[2])
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
