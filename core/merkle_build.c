/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/huge.h"
#include "core/merkle_part.h"
#include "core/progress.h"
#include "core/workers.h"

/*
 * Threads hash pieces of data, and where a piece holds whole tree blocks of level 0 those
 * too. The digests they get wait in a ring until it is their turn to go into the levels
 * above, which grow from left to right with one unfinished block each.
 */
#define RING_SIZE 32

/* So many bytes of tree are enough for the disk to begin with. */
#define FLUSH_SIZE ((uint64_t)1 << 21)

struct level {
	uint8_t *block; /* unfinished */
	uint64_t index; /* of that block in its level */
	size_t n_digests;
	size_t n_zero;               /* of them: digests of nothing but zeros */
	uint8_t zero[HASH_MAX_SIZE]; /* such a digest */
};

struct slot {
	uint8_t *digests;
	size_t n_digests;
	bool ready;
};

struct scratch {
	uint8_t *data;
	uint8_t *tree;
};

struct build {
	struct merkle_part part;
	const struct file *tree;
	uint64_t tree_offset;
	unsigned piece_level; /* a piece gives digests of this level */
	struct level levels[MERKLE_LEVELS_MAX + 1];
	struct slot ring[RING_SIZE];
	uint64_t n_taken;   /* pieces out of the ring, in order */
	uint64_t n_flushed; /* of them: the disk was told to write their tree blocks */
	struct scratch *scratch;
	unsigned n_scratch;
	uint8_t *root;
};

static size_t fanout(const struct build *b)
{
	return (size_t)1 << b->part.layout.log2_fanout;
}

static int write_blocks(const struct build *b, unsigned level, uint64_t index,
	const uint8_t *blocks, size_t n)
{
	uint32_t size = b->part.params->tree_block_size;
	if (!b->tree)
		return 0;
	return file_write(b->tree, blocks, n * size,
		b->tree_offset + (b->part.layout.levels[level].first + index) * size);
}

/* Adds a digest to LEVEL; a block that gets full is written, and its digest goes up. */
static int push(struct build *b, unsigned level, const uint8_t *digest);

static int finish_block(struct build *b, unsigned level)
{
	struct level *l = &b->levels[level];
	uint8_t digest[HASH_MAX_SIZE];
	int r = write_blocks(b, level, l->index, l->block, 1);
	if (r == 0 && l->n_zero == fanout(b))
		memcpy(digest, b->levels[level + 1].zero, sizeof digest);
	else if (r == 0)
		r = block_hash_run(&b->part.tree_hash, l->block, 1, digest, 0);
	if (r < 0)
		return r;
	l->index++;
	l->n_digests = l->n_zero = 0;
	memset(l->block, 0, b->part.params->tree_block_size);
	return push(b, level + 1, digest);
}

static int push(struct build *b, unsigned level, const uint8_t *digest)
{
	const struct merkle_layout *layout = &b->part.layout;
	struct level *l = &b->levels[level];
	if (level == layout->n_levels) {
		memcpy(b->root, digest, layout->digest_size);
		return 0;
	}
	memcpy(l->block + l->n_digests * layout->stride, digest, layout->digest_size);
	l->n_zero += !memcmp(digest, l->zero, layout->digest_size);
	return ++l->n_digests == fanout(b) ? finish_block(b, level) : 0;
}

/* The right-most block of each level may end before it is full. */
static int finish_levels(struct build *b)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < b->part.layout.n_levels; i++)
		if (b->levels[i].n_digests)
			r = finish_block(b, i);
	return r;
}

/* Digests of N_BLOCKS data blocks into whole tree blocks, and of those into the slot. */
static int hash_tree_blocks(struct build *b, uint64_t piece, const struct scratch *s,
	size_t n_blocks, bool hole, struct slot *slot)
{
	const struct merkle_part *m = &b->part;
	size_t size = m->params->tree_block_size, n = 0;
	for (size_t done = 0; done < n_blocks; done += fanout(b), n++) {
		uint8_t *block = s->tree + n * size;
		size_t count = n_blocks - done < fanout(b) ? n_blocks - done : fanout(b);
		memset(block, 0, size);
		for (size_t i = 0; hole && i < count; i++)
			memcpy(block + i * m->layout.stride, m->data_hash.zero,
				m->layout.digest_size);
		if (hole)
			continue;
		int r = block_hash_run(&m->data_hash,
			s->data + done * m->params->data_block_size, count, block,
			m->layout.stride);
		if (r < 0)
			return r;
	}
	slot->n_digests = n;
	int r = write_blocks(
		b, 0, piece * m->piece_blocks >> m->layout.log2_fanout, s->tree, n);
	if (r < 0)
		return r;
	if (!hole || n_blocks % fanout(b))
		return block_hash_run(
			&m->tree_hash, s->tree, n, slot->digests, m->layout.digest_size);
	for (size_t i = 0; i < n; i++)
		memcpy(slot->digests + i * m->layout.digest_size, b->levels[1].zero,
			m->layout.digest_size);
	return 0;
}

/* Digests of the data blocks into the slot. */
static int hash_data_blocks(struct build *b, const struct scratch *s, size_t n_blocks,
	bool hole, struct slot *slot)
{
	const struct merkle_part *m = &b->part;
	slot->n_digests = n_blocks;
	if (!hole)
		return block_hash_run(&m->data_hash, s->data, n_blocks, slot->digests,
			m->layout.digest_size);
	for (size_t i = 0; i < n_blocks; i++)
		memcpy(slot->digests + i * m->layout.digest_size, m->data_hash.zero,
			m->layout.digest_size);
	return 0;
}

/* Waits until the ring has room for PIECE. False if another thread failed meanwhile. */
static bool await_slot(struct build *b, uint64_t piece)
{
	struct merkle_part *m = &b->part;
	pthread_mutex_lock(&m->lock);
	while (piece - b->n_taken >= RING_SIZE && !m->stopped)
		pthread_cond_wait(&m->turn, &m->lock);
	bool go_on = !m->stopped;
	pthread_mutex_unlock(&m->lock);
	return go_on;
}

/* Tree blocks of level 0 that one piece makes, in bytes; 0 if it makes no whole ones. */
static uint64_t piece_tree_size(const struct build *b)
{
	const struct merkle_part *m = &b->part;
	return b->tree ? (m->piece_blocks >> m->layout.log2_fanout) *
				 m->params->tree_block_size
		       : 0;
}

static void flush_pieces(const struct build *b, uint64_t from, uint64_t to)
{
	uint64_t size = piece_tree_size(b), first = b->part.layout.levels[0].first;
	file_flush_early(b->tree,
		b->tree_offset + first * b->part.params->tree_block_size + from * size,
		(to - from) * size);
}

/* Marks the slot of PIECE as ready, and takes out of the ring what can be. */
static int empty_ring(struct build *b, uint64_t piece)
{
	struct merkle_part *m = &b->part;
	int r = 0;
	pthread_mutex_lock(&m->lock);
	b->ring[piece % RING_SIZE].ready = true;
	for (;;) {
		struct slot *slot = &b->ring[b->n_taken % RING_SIZE];
		if (!slot->ready || r < 0)
			break;
		for (size_t i = 0; r == 0 && i < slot->n_digests; i++)
			r = push(b, b->piece_level,
				slot->digests + i * m->layout.digest_size);
		slot->ready = false;
		b->n_taken++;
		pthread_cond_broadcast(&m->turn);
	}
	uint64_t from = b->n_flushed, to = b->n_taken;
	bool flush = (to - from) * piece_tree_size(b) >= FLUSH_SIZE;
	if (flush)
		b->n_flushed = to;
	pthread_mutex_unlock(&m->lock);
	if (flush)
		flush_pieces(b, from, to);
	return r;
}

static int build_piece(void *context, unsigned worker, uint64_t piece)
{
	struct build *b = context;
	struct merkle_part *m = &b->part;
	const struct scratch *s = &b->scratch[worker];
	struct slot *slot = &b->ring[piece % RING_SIZE];
	size_t n_blocks = merkle_part_blocks(m, piece);
	bool hole = false;
	if (!await_slot(b, piece))
		return 0;
	int r = merkle_part_read(m, piece, s->data, &hole);
	if (r == 0 && b->piece_level)
		r = hash_tree_blocks(b, piece, s, n_blocks, hole, slot);
	else if (r == 0)
		r = hash_data_blocks(b, s, n_blocks, hole, slot);
	if (r == 0)
		r = empty_ring(b, piece);
	if (r < 0)
		merkle_part_stop(m);
	progress_add((uint64_t)n_blocks * m->params->data_block_size);
	return r < 0 ? r : 0;
}

/* The digests of zeros of every level, and the unfinished blocks. */
static int init_levels(struct build *b)
{
	const struct merkle_part *m = &b->part;
	int r = 0;
	memcpy(b->levels[0].zero, m->data_hash.zero, HASH_MAX_SIZE);
	for (unsigned i = 0; r == 0 && i < m->layout.n_levels; i++) {
		struct level *l = &b->levels[i];
		if (!(l->block = calloc(1, m->params->tree_block_size)))
			return error_memory();
		for (size_t k = 0; k < fanout(b); k++)
			memcpy(l->block + k * m->layout.stride, l->zero,
				m->layout.digest_size);
		r = block_hash_run(&m->tree_hash, l->block, 1, b->levels[i + 1].zero, 0);
		memset(l->block, 0, m->params->tree_block_size);
	}
	return r;
}

static int init_scratch(struct build *b, unsigned jobs)
{
	const struct merkle_part *m = &b->part;
	uint64_t digests = m->piece_blocks;
	size_t tree_size = 1;
	if (m->layout.n_levels && m->piece_blocks >= fanout(b)) {
		b->piece_level = 1;
		digests /= fanout(b);
		tree_size = (size_t)digests * m->params->tree_block_size;
	}
	for (unsigned i = 0; i < RING_SIZE; i++)
		if (!(b->ring[i].digests = calloc(digests, m->layout.digest_size)))
			return error_memory();
	if (!(b->scratch = calloc(jobs, sizeof *b->scratch)))
		return error_memory();
	while (b->n_scratch < jobs) {
		struct scratch *s = &b->scratch[b->n_scratch++];
		s->data = huge_alloc(PIECE_SIZE);
		s->tree = malloc(tree_size);
		if (!s->data || !s->tree)
			return error_memory();
	}
	return 0;
}

static void build_free(struct build *b)
{
	for (unsigned i = 0; i < b->n_scratch; i++) {
		free(b->scratch[i].data);
		free(b->scratch[i].tree);
	}
	free(b->scratch);
	for (unsigned i = 0; i < RING_SIZE; i++)
		free(b->ring[i].digests);
	for (unsigned i = 0; i < MERKLE_LEVELS_MAX; i++)
		free(b->levels[i].block);
	merkle_part_free(&b->part);
}

int merkle_build(const struct merkle_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, unsigned jobs, uint8_t *root)
{
	struct build b = {.tree = tree, .tree_offset = tree_offset, .root = root};
	int r = merkle_part_init(&b.part, p, data);
	if (jobs == 0)
		jobs = workers_default();
	if (jobs > b.part.n_pieces)
		jobs = (unsigned)b.part.n_pieces;
	if (r == 0)
		r = init_levels(&b);
	if (r == 0)
		r = init_scratch(&b, jobs);
	if (r == 0)
		r = workers_run(jobs, b.part.n_pieces, build_piece, &b);
	if (r == 0)
		r = finish_levels(&b);
	if (r == 0)
		r = merkle_part_unchanged(&b.part, tree);
	build_free(&b);
	return r;
}
