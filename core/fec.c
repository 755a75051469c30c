/* SPDX-License-Identifier: MIT */
#include "core/fec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/gf256.h"
#include "core/huge.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/workers.h"

/* What a thread reads at a time, and the parity it has in hand: both stay in its cache.
 */
#define READ_SIZE   ((size_t)1 << 17)
#define GROUP_MAX   (READ_SIZE / MERKLE_BLOCK_MIN)
#define PARITY_SIZE ((size_t)1 << 19)

struct encode {
	const struct fec *fec;
	const struct file *parity;
	uint64_t offset;
	uint64_t rounds;
	size_t group; /* rounds done together */
	uint8_t generator[FEC_ROOTS_MAX + 1];
	uint8_t **scratch; /* per thread: READ_SIZE, the parity twice, a block */
	/* of a comparison: */
	pthread_mutex_t lock; /* of the two below */
	struct ranges *bad;
	struct ranges *unreadable;
};

int fec_check(const struct fec *fec)
{
	if (fec->roots < FEC_ROOTS_MIN || fec->roots > FEC_ROOTS_MAX)
		return error_format("%u parity bytes; %d to %d are possible", fec->roots,
			FEC_ROOTS_MIN, FEC_ROOTS_MAX);
	if (!is_power_of_two(fec->block_size) || fec->block_size < MERKLE_BLOCK_MIN ||
		fec->block_size > MERKLE_BLOCK_MAX)
		return error_format("block size %u is not possible", fec->block_size);
	return 0;
}

void fec_add(struct fec *fec, const struct file *file, uint64_t offset, uint64_t size)
{
	size -= size % fec->block_size;
	if (size)
		fec->parts[fec->n_parts++] = (struct fec_part){file, offset, size};
}

uint64_t fec_blocks(const struct fec *fec)
{
	uint64_t blocks = 0;
	for (size_t i = 0; i < fec->n_parts; i++)
		blocks += fec->parts[i].size / fec->block_size;
	return blocks;
}

uint64_t fec_rounds(const struct fec *fec)
{
	return u64_div_up(fec_blocks(fec), FEC_SYMBOLS - fec->roots);
}

uint64_t fec_parity_size(const struct fec *fec)
{
	return fec_rounds(fec) * fec->block_size * fec->roots;
}

int fec_read(const struct fec *fec, uint64_t first, size_t n, uint8_t *data)
{
	uint64_t at = first * fec->block_size;
	size_t size = n * fec->block_size;
	int r = 0;
	for (size_t i = 0; r == 0 && size && i < fec->n_parts; i++) {
		const struct fec_part *p = &fec->parts[i];
		if (at >= p->size) {
			at -= p->size;
			continue;
		}
		size_t here = p->size - at < size ? (size_t)(p->size - at) : size;
		r = file_read(p->file, data, here, p->offset + at);
		data += here;
		size -= here;
		at = 0;
	}
	memset(data, 0, size);
	return r;
}

int fec_write(const struct fec *fec, uint64_t block, const uint8_t *data)
{
	uint64_t at = block * fec->block_size;
	for (size_t i = 0; i < fec->n_parts; i++) {
		const struct fec_part *p = &fec->parts[i];
		if (at < p->size)
			return file_write(p->file, data, fec->block_size, p->offset + at);
		at -= p->size;
	}
	return error_format("block %ju is not covered", (uintmax_t)block);
}

/* The product of x - 2^i; the coefficient of x^i at [i]. */
static void make_generator(uint8_t *g, unsigned roots)
{
	memset(g, 0, FEC_ROOTS_MAX + 1);
	g[0] = 1;
	for (unsigned i = 0; i < roots; i++)
		for (unsigned k = i + 2; k-- > 0;)
			g[k] = (uint8_t)((k ? g[k - 1] : 0) ^ gf_mul(g[k], gf_power(i)));
}

/*
 * One step of polynomial division for a block of codewords side by side. ROWS[i] are the
 * remainder's coefficients, highest first; instead of their bytes the rows move.
 */
static void divide_step(
	const struct encode *e, const uint8_t *data, uint8_t **rows, uint8_t *feedback)
{
	unsigned roots = e->fec->roots;
	size_t size = e->fec->block_size;
	gf_add(data, rows[0], feedback, size);
	uint8_t *last = rows[0];
	for (unsigned i = 1; i < roots; i++) {
		gf_mul_add(e->generator[roots - i], feedback, rows[i], size);
		rows[i - 1] = rows[i];
	}
	memset(last, 0, size);
	gf_mul_add(e->generator[0], feedback, last, size);
	rows[roots - 1] = last;
}

/* A codeword's parity bytes are adjacent in the file. */
static void interleave(const struct fec *fec, uint8_t *const *rows, uint8_t *out)
{
	for (unsigned i = 0; i < fec->roots; i++)
		for (size_t k = 0; k < fec->block_size; k++)
			out[k * fec->roots + i] = rows[i][k];
}

/* Parity of the rounds of a group, and where it is. */
struct group {
	uint64_t first;
	size_t n;
	uint8_t *parity;
	uint8_t *other; /* room for as much */
};

/* Rounds ITEM * group and on: one sequential read per symbol for all of them. */
static int compute_group(
	const struct encode *e, unsigned worker, uint64_t item, struct group *g)
{
	const struct fec *fec = e->fec;
	size_t parity_size = fec->block_size * fec->roots;
	uint8_t *data = e->scratch[worker], *state = data + READ_SIZE;
	uint8_t *out = state + e->group * parity_size,
		*feedback = out + e->group * parity_size;
	uint8_t *rows[GROUP_MAX][FEC_ROOTS_MAX];
	uint64_t first = item * e->group;
	size_t n = e->rounds - first < e->group ? (size_t)(e->rounds - first) : e->group;
	*g = (struct group){first, n, out, state};
	memset(state, 0, n * parity_size);
	for (size_t k = 0; k < n; k++)
		for (unsigned i = 0; i < fec->roots; i++)
			rows[k][i] = state + k * parity_size + i * fec->block_size;
	int r = interrupt_check();
	for (unsigned j = 0; r == 0 && j < FEC_SYMBOLS - fec->roots; j++) {
		r = fec_read(fec, j * e->rounds + first, n, data);
		for (size_t k = 0; r == 0 && k < n; k++)
			divide_step(e, data + k * fec->block_size, rows[k], feedback);
	}
	if (r < 0)
		return r;
	for (size_t k = 0; k < n; k++)
		interleave(fec, rows[k], out + k * parity_size);
	progress_add((uint64_t)n * fec->block_size * (FEC_SYMBOLS - fec->roots));
	return 0;
}

static int write_group(void *context, unsigned worker, uint64_t item)
{
	const struct encode *e = context;
	size_t size = e->fec->block_size * e->fec->roots;
	struct group g;
	int r = compute_group(e, worker, item, &g);
	return r < 0 ? r
		     : file_write(e->parity, g.parity, g.n * size,
			       e->offset + g.first * size);
}

static int compare_group(void *context, unsigned worker, uint64_t item)
{
	struct encode *e = context;
	size_t size = e->fec->block_size * e->fec->roots;
	bool missing[GROUP_MAX];
	struct group g;
	int r = compute_group(e, worker, item, &g);
	if (r == 0)
		r = file_salvage(e->parity, g.other, g.n * size,
			e->offset + g.first * size, size, missing);
	if (r < 0)
		return r;
	r = 0;
	pthread_mutex_lock(&e->lock);
	for (size_t k = 0; r == 0 && k < g.n; k++) {
		if (missing[k])
			r = ranges_add(e->unreadable, g.first + k, 1);
		else if (memcmp(g.parity + k * size, g.other + k * size, size))
			r = ranges_add(e->bad, g.first + k, 1);
	}
	pthread_mutex_unlock(&e->lock);
	return r;
}

/* All groups, by DO_GROUP. */
static int run(struct encode *e, unsigned jobs,
	int (*do_group)(void *context, unsigned worker, uint64_t item))
{
	const struct fec *fec = e->fec;
	int r = fec_check(fec);
	if (r < 0)
		return r;
	e->rounds = fec_rounds(fec);
	size_t parity_size = fec->block_size * fec->roots;
	e->group = PARITY_SIZE / parity_size ? PARITY_SIZE / parity_size : 1;
	if (e->group > READ_SIZE / fec->block_size)
		e->group = READ_SIZE / fec->block_size;
	make_generator(e->generator, fec->roots);
	if (jobs == 0)
		jobs = workers_default();
	if (!(e->scratch = calloc(jobs, sizeof *e->scratch)))
		return error_memory();
	for (unsigned i = 0; r == 0 && i < jobs; i++) {
		e->scratch[i] = huge_alloc(
			READ_SIZE + 2 * e->group * parity_size + fec->block_size);
		if (!e->scratch[i])
			r = error_memory();
	}
	if (r == 0)
		r = workers_run(jobs, u64_div_up(e->rounds, e->group), do_group, e);
	for (unsigned i = 0; i < jobs; i++)
		free(e->scratch[i]);
	free(e->scratch);
	return r;
}

int fec_encode(
	const struct fec *fec, const struct file *parity, uint64_t offset, unsigned jobs)
{
	struct encode e = {.fec = fec, .parity = parity, .offset = offset};
	return run(&e, jobs, write_group);
}

int fec_compare(const struct fec *fec, const struct file *parity, uint64_t offset,
	unsigned jobs, struct ranges *bad, struct ranges *unreadable)
{
	struct encode e = {.fec = fec,
		.parity = parity,
		.offset = offset,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.bad = bad,
		.unreadable = unreadable};
	int r = run(&e, jobs, compare_group);
	ranges_sort(bad);
	ranges_sort(unreadable);
	return r < 0 ? r : bad->blocks || unreadable->blocks;
}
