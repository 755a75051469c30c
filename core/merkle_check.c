/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/huge.h"
#include "core/merkle_part.h"
#include "core/progress.h"
#include "core/workers.h"

/*
 * Threads take pieces of the data. Each keeps the tree blocks above its current place,
 * one per level, and compares a block when it comes upon it: with the block above, which
 * it compared before, or with the root. Nothing is read twice to be believed the second
 * time.
 */
enum verdict {
	GOOD,
	BAD,
	UNKNOWN, /* the block above is not good */
};

struct node {
	uint8_t *block;
	uint64_t index;
	enum verdict verdict;
};

struct walker {
	uint8_t *data;
	uint8_t *digests; /* of the data blocks below one tree block */
	struct node nodes[MERKLE_LEVELS_MAX];
};

struct check {
	struct merkle_part part;
	const struct file *tree;
	uint64_t tree_offset;
	const uint8_t *root;
	struct walker *walkers;
	unsigned n_walkers;
	pthread_mutex_t lock; /* of damage */
	struct merkle_damage *damage;
};

/* Reads tree block INDEX of LEVEL and compares it with WANTED. */
static int load_node(const struct check *c, unsigned level, uint64_t index,
	const uint8_t *wanted, struct node *node)
{
	const struct merkle_part *m = &c->part;
	uint32_t size = m->params->tree_block_size;
	uint8_t digest[HASH_MAX_SIZE];
	int r = file_read(c->tree, node->block, size,
		c->tree_offset + (m->layout.levels[level].first + index) * size);
	if (r == 0)
		r = block_hash_run(&m->tree_hash, node->block, 1, digest, 0);
	if (r < 0)
		return r;
	node->verdict = memcmp(digest, wanted, m->layout.digest_size) ? BAD : GOOD;
	return 0;
}

/* Makes sure that W has the nodes from the top down to tree block LEAF of level 0. */
static int descend(const struct check *c, struct walker *w, uint64_t leaf)
{
	const struct merkle_layout *layout = &c->part.layout;
	const uint8_t *wanted = c->root;
	for (unsigned level = layout->n_levels; level-- > 0;) {
		struct node *node = &w->nodes[level];
		uint64_t index = leaf >> (layout->log2_fanout * level);
		if (node->index != index) {
			node->index = index;
			node->verdict = UNKNOWN;
			int r = wanted ? load_node(c, level, index, wanted, node) : 0;
			if (r < 0) {
				node->index = UINT64_MAX;
				return r;
			}
		}
		uint64_t child = level ? leaf >> (layout->log2_fanout * (level - 1)) : 0;
		child &= ((uint64_t)1 << layout->log2_fanout) - 1;
		wanted = node->verdict == GOOD ? node->block + child * layout->stride
					       : NULL;
	}
	return 0;
}

/* Each tree block is reported once: by whoever comes to the first data block below it. */
static int report_nodes(const struct check *c, const struct walker *w, uint64_t leaf)
{
	const struct merkle_layout *layout = &c->part.layout;
	int r = 0;
	for (unsigned level = 0; r == 0 && level < layout->n_levels; level++) {
		unsigned shift = layout->log2_fanout * level;
		uint64_t index = leaf >> shift;
		if (index << shift != leaf)
			break;
		uint64_t block = layout->levels[level].first + index;
		if (w->nodes[level].verdict == BAD)
			r = ranges_add(&c->damage->bad_tree, block, 1);
		else if (w->nodes[level].verdict == UNKNOWN)
			r = ranges_add(&c->damage->unknown_tree, block, 1);
	}
	return r;
}

static int report_data(const struct check *c, struct ranges *ranges, uint64_t first,
	const uint8_t *digests, const uint8_t *wanted, size_t n)
{
	size_t size = c->part.layout.digest_size;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (memcmp(digests + i * size, wanted + i * c->part.layout.stride, size))
			r = ranges_add(ranges, first + i, 1);
	return r;
}

/* Compares N data blocks from FIRST on, all below tree block FIRST >> log2_fanout. */
static int check_run(
	struct check *c, struct walker *w, const uint8_t *data, uint64_t first, size_t n)
{
	const struct merkle_part *m = &c->part;
	uint64_t leaf = first >> m->layout.log2_fanout;
	size_t child = (size_t)(first - (leaf << m->layout.log2_fanout));
	const uint8_t *wanted = c->root;
	int r = 0;
	if (m->layout.n_levels) {
		r = descend(c, w, leaf);
		wanted = w->nodes[0].verdict == GOOD
				 ? w->nodes[0].block + child * m->layout.stride
				 : NULL;
	}
	if (r == 0 && wanted && data)
		r = block_hash_run(
			&m->data_hash, data, n, w->digests, m->layout.digest_size);
	for (size_t i = 0; !data && i < n; i++)
		memcpy(w->digests + i * m->layout.digest_size, m->data_hash.zero,
			m->layout.digest_size);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	if (child == 0)
		r = report_nodes(c, w, leaf);
	if (r == 0 && !wanted)
		r = ranges_add(&c->damage->unknown_data, first, n);
	else if (r == 0)
		r = report_data(c, &c->damage->bad_data, first, w->digests, wanted, n);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int check_piece(void *context, unsigned worker, uint64_t piece)
{
	struct check *c = context;
	struct merkle_part *m = &c->part;
	struct walker *w = &c->walkers[worker];
	size_t n_blocks = merkle_part_blocks(m, piece);
	size_t fanout = (size_t)1 << m->layout.log2_fanout;
	bool hole = false;
	int r = merkle_part_read(m, piece, w->data, &hole);
	for (size_t done = 0; r == 0 && done < n_blocks; done += fanout) {
		size_t n = n_blocks - done < fanout ? n_blocks - done : fanout;
		r = check_run(c, w,
			hole ? NULL : w->data + done * m->params->data_block_size,
			piece * m->piece_blocks + done, n);
	}
	if (r < 0)
		merkle_part_stop(m);
	progress_add((uint64_t)n_blocks * m->params->data_block_size);
	return r < 0 ? r : 0;
}

static int init_walkers(struct check *c, unsigned jobs)
{
	const struct merkle_part *m = &c->part;
	if (!(c->walkers = calloc(jobs, sizeof *c->walkers)))
		return error_memory();
	while (c->n_walkers < jobs) {
		struct walker *w = &c->walkers[c->n_walkers++];
		w->data = huge_alloc(PIECE_SIZE);
		w->digests = malloc(m->piece_blocks * m->layout.digest_size);
		if (!w->data || !w->digests)
			return error_memory();
		for (unsigned i = 0; i < m->layout.n_levels; i++) {
			w->nodes[i].index = UINT64_MAX;
			if (!(w->nodes[i].block = malloc(m->params->tree_block_size)))
				return error_memory();
		}
	}
	return 0;
}

static void check_free(struct check *c)
{
	for (unsigned i = 0; i < c->n_walkers; i++) {
		free(c->walkers[i].data);
		free(c->walkers[i].digests);
		for (unsigned k = 0; k < MERKLE_LEVELS_MAX; k++)
			free(c->walkers[i].nodes[k].block);
	}
	free(c->walkers);
	merkle_part_free(&c->part);
}

static int sort_damage(struct merkle_damage *d)
{
	ranges_sort(&d->bad_data);
	ranges_sort(&d->bad_tree);
	ranges_sort(&d->unknown_data);
	ranges_sort(&d->unknown_tree);
	return d->bad_data.blocks || d->bad_tree.blocks || d->unknown_data.blocks;
}

int merkle_check(const struct merkle_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, const uint8_t *root, unsigned jobs,
	struct merkle_damage *damage)
{
	struct check c = {.tree = tree,
		.tree_offset = tree_offset,
		.root = root,
		.damage = damage,
		.lock = PTHREAD_MUTEX_INITIALIZER};
	int r = merkle_part_init(&c.part, p, data);
	if (jobs == 0)
		jobs = workers_default();
	if (jobs > c.part.n_pieces)
		jobs = (unsigned)c.part.n_pieces;
	if (r == 0)
		r = init_walkers(&c, jobs);
	if (r == 0)
		r = workers_run(jobs, c.part.n_pieces, check_piece, &c);
	if (r == 0)
		r = merkle_part_unchanged(&c.part, NULL);
	check_free(&c);
	return r < 0 ? r : sort_damage(damage);
}
