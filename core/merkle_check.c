/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/huge.h"
#include "core/merkle_part.h"
#include "core/progress.h"
#include "core/workers.h"

/*
 * Threads take pieces of the data. Each reads the tree blocks of level 0 that are above
 * its piece together, and of the levels above that keeps the block it came upon last. A
 * block is compared when it is read: with the block above, which was compared before, or
 * with the root. Nothing is read twice to be believed the second time.
 */
enum verdict {
	GOOD,
	BAD,
	UNKNOWN, /* the block above is not good */
	UNREADABLE,
};

struct node {
	uint8_t *block;
	uint64_t index;
	enum verdict verdict;
};

/* The tree blocks of level 0 above a piece. */
struct leaves {
	uint8_t *blocks;
	uint8_t *digests; /* of them */
	bool *missing;
	uint64_t first;
	size_t n;
};

struct walker {
	uint8_t *data;
	bool *missing;    /* of its blocks */
	uint8_t *digests; /* of the data blocks below one tree block */
	struct leaves leaves;
	struct node nodes[MERKLE_LEVELS_MAX]; /* but of level 0 */
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

static int read_blocks(const struct check *c, unsigned level, uint64_t index, size_t n,
	uint8_t *blocks, uint8_t *digests, bool *missing)
{
	const struct merkle_part *m = &c->part;
	uint32_t size = m->params->tree_block_size;
	uint64_t first = m->layout.levels[level].first + index;
	int r = file_salvage(
		c->tree, blocks, n * size, c->tree_offset + first * size, size, missing);
	return r < 0 ? r
		     : block_hash_run(
			       &m->tree_hash, blocks, n, digests, m->layout.digest_size);
}

/* Reads the tree blocks that N_BLOCKS data blocks from FIRST on are below. */
static int load_leaves(
	const struct check *c, struct leaves *l, uint64_t first, size_t n_blocks)
{
	unsigned log2_fanout = c->part.layout.log2_fanout;
	uint64_t index = first >> log2_fanout;
	size_t n = (size_t)(((first + n_blocks - 1) >> log2_fanout) - index + 1);
	if (l->n == n && l->first == index)
		return 0;
	l->first = index;
	l->n = 0;
	int r = read_blocks(c, 0, index, n, l->blocks, l->digests, l->missing);
	if (r == 0)
		l->n = n;
	return r;
}

static enum verdict judge(
	const struct check *c, const uint8_t *digest, bool missing, const uint8_t *wanted)
{
	if (missing)
		return UNREADABLE;
	if (!wanted)
		return UNKNOWN;
	return memcmp(digest, wanted, c->part.layout.digest_size) ? BAD : GOOD;
}

static int load_node(const struct check *c, unsigned level, uint64_t index,
	const uint8_t *wanted, struct node *node)
{
	uint8_t digest[HASH_MAX_SIZE] = {0};
	bool missing = false;
	node->index = UINT64_MAX;
	int r = wanted ? read_blocks(c, level, index, 1, node->block, digest, &missing)
		       : 0;
	if (r < 0)
		return r;
	node->index = index;
	node->verdict = judge(c, digest, missing, wanted);
	return 0;
}

/* The digest that NODE has for tree block INDEX of the level below; NULL if not known. */
static const uint8_t *wanted_below(
	const struct check *c, const struct node *node, uint64_t index)
{
	const struct merkle_layout *layout = &c->part.layout;
	uint64_t child = index & (((uint64_t)1 << layout->log2_fanout) - 1);
	return node->verdict == GOOD ? node->block + child * layout->stride : NULL;
}

/*
 * Makes sure that W has the nodes from the top down to the one above tree block LEAF of
 * level 0, and judges that one.
 */
static int descend(
	const struct check *c, struct walker *w, uint64_t leaf, enum verdict *verdict)
{
	const struct merkle_layout *layout = &c->part.layout;
	const uint8_t *wanted = c->root;
	for (unsigned level = layout->n_levels; level-- > 1;) {
		struct node *node = &w->nodes[level];
		uint64_t index = leaf >> (layout->log2_fanout * level);
		int r = node->index == index ? 0
					     : load_node(c, level, index, wanted, node);
		if (r < 0)
			return r;
		wanted = wanted_below(
			c, node, leaf >> (layout->log2_fanout * (level - 1)));
	}
	uint64_t i = leaf - w->leaves.first;
	*verdict = judge(c, w->leaves.digests + i * layout->digest_size,
		w->leaves.missing[i], wanted);
	return 0;
}

static int report_node(const struct check *c, enum verdict verdict, uint64_t block)
{
	struct merkle_damage *d = c->damage;
	switch (verdict) {
	case BAD:
		return ranges_add(&d->bad_tree, block, 1);
	case UNKNOWN:
		return ranges_add(&d->unknown_tree, block, 1);
	case UNREADABLE:
		return ranges_add(&d->unreadable_tree, block, 1);
	default:
		return 0;
	}
}

/* Each tree block is reported once: by whoever comes to the first data block below it. */
static int report_nodes(const struct check *c, const struct walker *w, uint64_t leaf,
	enum verdict leaf_verdict)
{
	const struct merkle_layout *layout = &c->part.layout;
	int r = 0;
	for (unsigned level = 0; r == 0 && level < layout->n_levels; level++) {
		unsigned shift = layout->log2_fanout * level;
		uint64_t index = leaf >> shift;
		if (index << shift != leaf)
			break;
		r = report_node(c, level ? w->nodes[level].verdict : leaf_verdict,
			layout->levels[level].first + index);
	}
	return r;
}

/* N data blocks from FIRST on, all below one tree block. */
struct run {
	uint64_t first;
	size_t n;
	const uint8_t *data; /* NULL: in a hole */
	const bool *missing;
	const uint8_t *wanted; /* the first one's digest; NULL: not known */
};

static int report_data(const struct check *c, const struct walker *w, const struct run *x)
{
	const struct merkle_layout *layout = &c->part.layout;
	struct merkle_damage *d = c->damage;
	int r = 0;
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		if (x->missing[i])
			r = ranges_add(&d->unreadable_data, x->first + i, 1);
		else if (!x->wanted)
			r = ranges_add(&d->unknown_data, x->first + i, 1);
		else if (memcmp(w->digests + i * layout->digest_size,
				 x->wanted + i * layout->stride, layout->digest_size))
			r = ranges_add(&d->bad_data, x->first + i, 1);
	}
	return r;
}

static int hash_run(const struct check *c, struct walker *w, const struct run *x)
{
	const struct merkle_part *m = &c->part;
	size_t size = m->layout.digest_size;
	if (!x->wanted)
		return 0;
	if (x->data)
		return block_hash_run(&m->data_hash, x->data, x->n, w->digests, size);
	for (size_t i = 0; i < x->n; i++)
		memcpy(w->digests + i * size, m->data_hash.zero, size);
	return 0;
}

static int check_run(struct check *c, struct walker *w, struct run *x)
{
	const struct merkle_layout *layout = &c->part.layout;
	uint64_t leaf = x->first >> layout->log2_fanout;
	uint64_t child = x->first - (leaf << layout->log2_fanout);
	enum verdict verdict = GOOD;
	x->wanted = c->root;
	int r = 0;
	if (layout->n_levels) {
		size_t size = c->part.params->tree_block_size;
		r = descend(c, w, leaf, &verdict);
		x->wanted = w->leaves.blocks + (leaf - w->leaves.first) * size +
			    child * layout->stride;
		if (verdict != GOOD)
			x->wanted = NULL;
	}
	if (r == 0)
		r = hash_run(c, w, x);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	if (child == 0)
		r = report_nodes(c, w, leaf, verdict);
	if (r == 0)
		r = report_data(c, w, x);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int check_piece(void *context, unsigned worker, uint64_t piece)
{
	struct check *c = context;
	struct merkle_part *m = &c->part;
	struct walker *w = &c->walkers[worker];
	size_t n_blocks = merkle_part_blocks(m, piece), size = m->params->data_block_size;
	size_t fanout = (size_t)1 << m->layout.log2_fanout;
	uint64_t first = piece * m->piece_blocks;
	bool hole = false;
	int r = merkle_part_salvage(m, piece, w->data, &hole, w->missing);
	if (r == 0 && m->layout.n_levels)
		r = load_leaves(c, &w->leaves, first, n_blocks);
	for (size_t done = 0; r == 0 && done < n_blocks; done += fanout) {
		struct run x = {.first = first + done,
			.n = n_blocks - done < fanout ? n_blocks - done : fanout,
			.data = hole ? NULL : w->data + done * size,
			.missing = w->missing + done};
		r = check_run(c, w, &x);
	}
	if (r < 0)
		merkle_part_stop(m);
	progress_add((uint64_t)n_blocks * size);
	return r < 0 ? r : 0;
}

static int init_walker(const struct merkle_part *m, struct walker *w)
{
	size_t n_leaves = (size_t)(m->piece_blocks >> m->layout.log2_fanout) + 1;
	w->data = huge_alloc(PIECE_SIZE);
	w->missing = calloc(m->piece_blocks, sizeof *w->missing);
	w->digests = malloc(m->piece_blocks * m->layout.digest_size);
	w->leaves.blocks = malloc(n_leaves * m->params->tree_block_size);
	w->leaves.digests = malloc(n_leaves * m->layout.digest_size);
	w->leaves.missing = calloc(n_leaves, sizeof *w->leaves.missing);
	if (!w->data || !w->missing || !w->digests || !w->leaves.blocks ||
		!w->leaves.digests || !w->leaves.missing)
		return error_memory();
	for (unsigned i = 1; i < m->layout.n_levels; i++) {
		w->nodes[i].index = UINT64_MAX;
		if (!(w->nodes[i].block = malloc(m->params->tree_block_size)))
			return error_memory();
	}
	return 0;
}

static void free_walker(struct walker *w)
{
	free(w->data);
	free(w->missing);
	free(w->digests);
	free(w->leaves.blocks);
	free(w->leaves.digests);
	free(w->leaves.missing);
	for (unsigned i = 0; i < MERKLE_LEVELS_MAX; i++)
		free(w->nodes[i].block);
}

static int init_walkers(struct check *c, unsigned jobs)
{
	int r = 0;
	if (!(c->walkers = calloc(jobs, sizeof *c->walkers)))
		return error_memory();
	while (r == 0 && c->n_walkers < jobs)
		r = init_walker(&c->part, &c->walkers[c->n_walkers++]);
	return r;
}

static void check_free(struct check *c)
{
	for (unsigned i = 0; i < c->n_walkers; i++)
		free_walker(&c->walkers[i]);
	free(c->walkers);
	merkle_part_free(&c->part);
}

static int sort_damage(struct merkle_damage *d)
{
	ranges_sort(&d->bad_data);
	ranges_sort(&d->bad_tree);
	ranges_sort(&d->unreadable_data);
	ranges_sort(&d->unreadable_tree);
	ranges_sort(&d->unknown_data);
	ranges_sort(&d->unknown_tree);
	return d->bad_data.blocks || d->bad_tree.blocks || d->unreadable_data.blocks ||
	       d->unreadable_tree.blocks || d->unknown_data.blocks;
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
