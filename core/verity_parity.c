/* SPDX-License-Identifier: MIT */
#include "core/verity_parity.h"

void verity_parity_free(struct verity_parity *parity)
{
	ranges_free(&parity->bad);
	ranges_free(&parity->unreadable);
	ranges_free(&parity->unknown);
}

static bool is_whole(const struct merkle_damage *d)
{
	return !d->bad_data.blocks && !d->bad_tree.blocks && !d->unreadable_data.blocks &&
	       !d->unreadable_tree.blocks && !d->unknown_data.blocks &&
	       !d->unknown_tree.blocks;
}

static bool has(const struct ranges *r, uint64_t block)
{
	return r->incomplete || ranges_have(r, block);
}

/* Whether a block that the parity of ROUND is over is not known to be good. */
static bool is_doubtful(const struct verity_params *p, const struct fec *fec,
	const struct merkle_damage *d, uint64_t round)
{
	uint64_t rounds = fec_rounds(fec);
	for (unsigned j = 0; j < FEC_SYMBOLS - fec->roots; j++) {
		uint64_t block = j * rounds + round, tree = block - p->data_blocks;
		if (block < p->data_blocks
				? has(&d->bad_data, block) || has(&d->unknown_data, block)
				: has(&d->bad_tree, tree) || has(&d->unknown_tree, tree))
			return true;
	}
	return false;
}

static int split(const struct verity_params *p, const struct fec *fec,
	const struct merkle_damage *d, const struct ranges *differ,
	struct verity_parity *found)
{
	int r = 0;
	found->bad.incomplete = differ->incomplete;
	for (size_t i = 0; i < differ->n_items; i++)
		for (uint64_t k = 0; r == 0 && k < differ->items[i].count; k++) {
			uint64_t round = differ->items[i].first + k;
			r = ranges_add(is_doubtful(p, fec, d, round) ? &found->unknown
								     : &found->bad,
				round, 1);
		}
	return r;
}

int verity_parity_check(const struct verity_params *p, const struct fec *fec,
	const struct file *parity, uint64_t offset, unsigned jobs,
	const struct merkle_damage *damage, struct verity_parity *found)
{
	struct ranges differ = {0};
	int r;
	/* Each parity block is over blocks from all over the disk. */
	if (damage->unreadable_data.blocks || damage->unreadable_tree.blocks) {
		r = ranges_add(&found->unknown, 0, fec_rounds(fec));
		return r < 0 ? r : 1;
	}
	r = fec_compare(fec, parity, offset, jobs, &differ, &found->unreadable);
	if (r > 0 && is_whole(damage)) {
		found->bad = differ;
		return 1;
	}
	if (r > 0)
		r = split(p, fec, damage, &differ, found);
	ranges_free(&differ);
	return r < 0 ? r
		     : found->bad.blocks || found->unreadable.blocks ||
			       found->unknown.blocks;
}
