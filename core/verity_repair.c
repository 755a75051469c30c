/* SPDX-License-Identifier: MIT */
#include "core/verity_repair.h"

#include <errno.h>
#include <stdlib.h>

#include "core/progress.h"
#include "core/verity_format.h"

int verity_fec(const struct verity_params *p, const struct fec_layout *l, struct fec *fec)
{
	uint64_t tree_size;
	*fec = (struct fec){.roots = l->roots, .block_size = p->data_block_size};
	int r = verity_tree_size(p, &tree_size);
	if (r == 0)
		r = fec_check(fec);
	if (r == 0 && p->data_block_size != p->hash_block_size)
		r = error_format(
			"error correction wants data and hash blocks of one size, not %u "
			"and %u bytes",
			p->data_block_size, p->hash_block_size);
	if (r < 0)
		return r;
	fec_add(fec, l->data, 0, p->data_blocks * p->data_block_size);
	fec_add(fec, l->tree, l->tree_at, tree_size);
	if (l->rest_to > l->rest_from)
		fec_add(fec, l->rest, l->rest_from, l->rest_to - l->rest_from);
	return 0;
}

int verity_fec_of(const struct verity_params *p, unsigned roots, const struct file *data,
	const struct file *hash, uint64_t tree_offset, const struct file *parity,
	uint64_t fec_offset, struct fec *fec)
{
	uint64_t tree_size;
	int r = verity_tree_size(p, &tree_size);
	if (r < 0)
		return r;
	struct fec_layout layout = {roots, data, hash, tree_offset, hash,
		tree_offset + tree_size,
		file_is_same(hash, parity) ? fec_offset : hash->size};
	if ((r = verity_fec(p, &layout, fec)) < 0)
		return r;
	uint64_t wanted = fec_parity_size(fec);
	uint64_t there = parity->size > fec_offset ? parity->size - fec_offset : 0;
	/* A file of its own has exactly the parity; another size means other parameters.
	 */
	bool own = !parity->is_device && fec_offset == 0;
	if (there < wanted || (own && there != wanted))
		return error_format(
			"%s: %ju bytes from offset %ju on, but the parity of %ju "
			"blocks with %u roots has %ju",
			parity->name, (uintmax_t)there, (uintmax_t)fec_offset,
			(uintmax_t)fec_blocks(fec), roots, (uintmax_t)wanted);
	return 0;
}

static size_t append_blocks(
	uint64_t *list, size_t n, const struct ranges *r, uint64_t base)
{
	for (size_t i = 0; i < r->n_items; i++)
		for (uint64_t k = 0; k < r->items[i].count; k++)
			list[n++] = base + r->items[i].first + k;
	return n;
}

static int refuse(const struct verity_repair *v, const struct merkle_damage *d)
{
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: damaged beyond repair: %ju data and %ju tree blocks cannot be "
		"recovered from "
		"%u parity bytes a codeword, %ju data blocks remain unknown",
		v->name, (uintmax_t)d->bad_data.blocks, (uintmax_t)d->bad_tree.blocks,
		v->fec->roots, (uintmax_t)d->unknown_data.blocks);
}

/* Proposals for all blocks known to be bad. */
static int propose(const struct verity_repair *v, const struct merkle_damage *d)
{
	const struct ranges *lists[] = {
		&d->bad_data, &d->unreadable_data, &d->bad_tree, &d->unreadable_tree};
	size_t n_left, n = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (lists[i]->incomplete)
			return refuse(v, d);
		n += (size_t)lists[i]->blocks;
	}
	uint64_t *bad = calloc(n + 1, sizeof *bad);
	if (!bad)
		return error_memory();
	n = 0;
	for (unsigned i = 0; i < 4; i++)
		n = append_blocks(bad, n, lists[i], i < 2 ? 0 : v->params->data_blocks);
	fec_sort(v->fec, bad, n);
	int r = v->before_write ? v->before_write(v->context, bad, n) : 0;
	if (r == 0)
		r = fec_propose(
			v->fec, v->parity, v->fec_offset, bad, n, v->jobs, &n_left);
	free(bad);
	return r;
}

static uint64_t amount(const struct merkle_damage *d)
{
	return d->bad_data.blocks + d->bad_tree.blocks + d->unreadable_data.blocks +
	       d->unreadable_tree.blocks + d->unknown_data.blocks +
	       d->unknown_tree.blocks;
}

/* Blocks in NOW that were neither bad nor unreadable before. */
static uint64_t new_blocks(const struct ranges *now, const struct ranges *bad_before,
	const struct ranges *unreadable_before)
{
	uint64_t n = 0;
	for (size_t i = 0; i < now->n_items; i++)
		for (uint64_t k = 0; k < now->items[i].count; k++) {
			uint64_t block = now->items[i].first + k;
			n += !ranges_have(bad_before, block) &&
			     !ranges_have(unreadable_before, block);
		}
	return n;
}

/* When all is good in the end, all that was ever bad has been repaired. */
static void count_repaired(struct verity_repair *v, const struct merkle_damage *now,
	const struct merkle_damage *last)
{
	const struct ranges *bad = &last->bad_data, *lost = &last->unreadable_data;
	v->repaired_data += new_blocks(&now->bad_data, bad, lost) +
			    new_blocks(&now->unreadable_data, bad, lost);
	bad = &last->bad_tree;
	lost = &last->unreadable_tree;
	v->repaired_tree += new_blocks(&now->bad_tree, bad, lost) +
			    new_blocks(&now->unreadable_tree, bad, lost);
}

/* One pass: 0 when all is good, 1 when another one may help. */
static int pass(
	struct verity_repair *v, struct merkle_damage *last, uint64_t *last_amount)
{
	const struct verity_params *p = v->params;
	AUTO_MERKLE_DAMAGE d = {0};
	progress_begin("verifying", p->data_blocks * p->data_block_size);
	int r = verity_check(
		p, v->data, 0, v->hash, v->tree_offset, v->root, v->jobs, &d);
	progress_end();
	if (r <= 0)
		return r;
	if (amount(&d) >= *last_amount)
		return refuse(v, &d);
	*last_amount = amount(&d);
	count_repaired(v, &d, last);
	r = propose(v, &d);
	merkle_damage_free(last);
	*last = d;
	d = (struct merkle_damage){0};
	return r < 0 ? r : 1;
}

int verity_repair(struct verity_repair *v)
{
	AUTO_MERKLE_DAMAGE last = {0};
	uint64_t last_amount = UINT64_MAX;
	int r;
	v->repaired_data = v->repaired_tree = 0;
	while ((r = pass(v, &last, &last_amount)) > 0)
		;
	return r;
}
