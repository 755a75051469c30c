/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/fec.h"
#include "core/gf256.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/rs_decode.h"
#include "core/workers.h"

/*
 * The bad blocks are known, so that their symbols are erasures, of which a codeword with
 * ROOTS parity bytes bears as many. With a codeword's symbols c[0] to c[254] as the
 * coefficients of a polynomial, highest first, the syndromes
 *     S[i] = sum of c[j] * X[j]^i,  X[j] = 2^(254 - j),  i < ROOTS
 * are zero. With the erased ones left out of the sum they are the sums of the erased ones
 * alone: a system of linear equations, with the same matrix for all columns of a round.
 */
struct propose {
	const struct fec *fec;
	const struct file *parity;
	uint64_t offset;
	uint64_t rounds;
	const uint64_t *bad;
	size_t *starts; /* of each round's run in `bad`; one more than there are runs */
	uint8_t **scratch;
	atomic_size_t n_left;
};

struct erasures {
	unsigned n;
	unsigned symbol[FEC_ROOTS_MAX];
	uint8_t locator[FEC_ROOTS_MAX];                /* X */
	uint8_t inverse[FEC_ROOTS_MAX][FEC_ROOTS_MAX]; /* of the matrix X[k]^i */
};

/* What a thread has in its scratch memory, each ROOTS blocks but the first. */
struct round {
	uint8_t *data;
	uint8_t *syndromes[FEC_ROOTS_MAX];
	uint8_t *values[FEC_ROOTS_MAX];
	uint8_t *parity;
};

static uint8_t power_of(uint8_t x, unsigned n)
{
	uint8_t v = 1;
	while (n-- > 0)
		v = gf_mul(v, x);
	return v;
}

static void scale_row(uint8_t *row, uint8_t c, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		row[k] = gf_mul(row[k], c);
}

/* Gauss and Jordan; the locators differ, so the matrix is Vandermonde's and invertible.
 */
static void invert(struct erasures *x)
{
	uint8_t m[FEC_ROOTS_MAX][FEC_ROOTS_MAX];
	memset(x->inverse, 0, sizeof x->inverse);
	for (unsigned i = 0; i < x->n; i++) {
		x->inverse[i][i] = 1;
		for (unsigned k = 0; k < x->n; k++)
			m[i][k] = power_of(x->locator[k], i);
	}
	for (unsigned c = 0; c < x->n; c++) {
		unsigned pivot = c;
		while (m[pivot][c] == 0)
			pivot++;
		for (unsigned k = 0; k < x->n; k++) {
			uint8_t t = m[c][k], u = x->inverse[c][k];
			m[c][k] = m[pivot][k], m[pivot][k] = t;
			x->inverse[c][k] = x->inverse[pivot][k], x->inverse[pivot][k] = u;
		}
		uint8_t by = gf_inverse(m[c][c]);
		scale_row(m[c], by, x->n);
		scale_row(x->inverse[c], by, x->n);
		for (unsigned i = 0; i < x->n; i++) {
			uint8_t factor = m[i][c];
			if (i == c || factor == 0)
				continue;
			gf_mul_add_plain(factor, m[c], m[i], x->n);
			gf_mul_add_plain(factor, x->inverse[c], x->inverse[i], x->n);
		}
	}
}

static void add_symbol(
	const struct fec *fec, const struct round *r, unsigned j, const uint8_t *data)
{
	for (unsigned i = 0; i < fec->roots; i++)
		gf_mul_add(gf_power(i * (FEC_SYMBOLS - 1 - j)), data, r->syndromes[i],
			fec->block_size);
}

/* The sums over all symbols of a round that are not erased. */
static int read_syndromes(const struct propose *p, uint64_t number,
	const struct erasures *x, const struct round *round)
{
	const struct fec *fec = p->fec;
	size_t size = fec->block_size;
	for (unsigned i = 0; i < fec->roots; i++)
		memset(round->syndromes[i], 0, size);
	unsigned n_data = FEC_SYMBOLS - fec->roots;
	for (unsigned j = 0, next = 0; j < n_data; j++) {
		if (next < x->n && x->symbol[next] == j) {
			next++;
			continue;
		}
		int r = fec_read(fec, j * p->rounds + number, 1, round->data);
		if (r < 0)
			return r;
		add_symbol(fec, round, j, round->data);
	}
	int r = file_read(p->parity, round->parity, size * fec->roots,
		p->offset + number * size * fec->roots);
	for (unsigned i = 0; r == 0 && i < fec->roots; i++) {
		for (size_t k = 0; k < size; k++)
			round->data[k] = round->parity[k * fec->roots + i];
		add_symbol(fec, round, n_data + i, round->data);
	}
	return r;
}

/* The erased symbols, if all others are right. */
static void solve(
	const struct fec *fec, const struct erasures *x, const struct round *round)
{
	size_t size = fec->block_size;
	for (unsigned k = 0; k < x->n; k++) {
		memset(round->values[k], 0, size);
		for (unsigned i = 0; i < x->n; i++)
			gf_mul_add(x->inverse[k][i], round->syndromes[i],
				round->values[k], size);
	}
}

/* Marks in round->data the columns in which the equations left over do not hold. */
static void find_doubtful(
	const struct fec *fec, const struct erasures *x, const struct round *round)
{
	size_t size = fec->block_size;
	uint8_t *sum = round->parity;
	memset(round->data, 0, size);
	for (unsigned i = x->n; i < fec->roots; i++) {
		memcpy(sum, round->syndromes[i], size);
		for (unsigned k = 0; k < x->n; k++)
			gf_mul_add(
				power_of(x->locator[k], i), round->values[k], sum, size);
		for (size_t k = 0; k < size; k++)
			round->data[k] |= sum[k];
	}
}

/* There something else is wrong as well: perhaps below a tree block that is bad. */
static bool decode_doubtful(
	const struct fec *fec, const struct erasures *x, const struct round *round)
{
	for (size_t column = 0; column < fec->block_size; column++) {
		uint8_t syndromes[FEC_ROOTS_MAX], values[FEC_ROOTS_MAX];
		if (round->data[column] == 0)
			continue;
		for (unsigned i = 0; i < fec->roots; i++)
			syndromes[i] = round->syndromes[i][column];
		if (rs_decode(fec->roots, syndromes, x->n, x->locator, values))
			return false;
		for (unsigned k = 0; k < x->n; k++)
			round->values[k][column] = values[k];
	}
	return true;
}

static struct round layout(const struct fec *fec, uint8_t *memory)
{
	size_t size = fec->block_size;
	struct round r = {.data = memory, .parity = memory + size};
	memory += size * (1 + fec->roots);
	for (unsigned i = 0; i < fec->roots; i++) {
		r.syndromes[i] = memory + i * size;
		r.values[i] = memory + (fec->roots + i) * size;
	}
	return r;
}

static int propose_round(void *context, unsigned worker, uint64_t item)
{
	struct propose *p = context;
	const struct fec *fec = p->fec;
	const uint64_t *bad = p->bad + p->starts[item];
	size_t n = p->starts[item + 1] - p->starts[item];
	int r = interrupt_check();
	if (r < 0)
		return r;
	if (n > fec->roots) {
		atomic_fetch_add(&p->n_left, n);
		return 0;
	}
	struct round round = layout(fec, p->scratch[worker]);
	struct erasures x = {.n = (unsigned)n};
	for (unsigned k = 0; k < n; k++) {
		x.symbol[k] = (unsigned)(bad[k] / p->rounds);
		x.locator[k] = gf_power(FEC_SYMBOLS - 1 - x.symbol[k]);
	}
	invert(&x);
	r = read_syndromes(p, bad[0] % p->rounds, &x, &round);
	if (r < 0)
		return r;
	solve(fec, &x, &round);
	find_doubtful(fec, &x, &round);
	if (!decode_doubtful(fec, &x, &round))
		atomic_fetch_add(&p->n_left, n);
	else
		for (unsigned k = 0; r == 0 && k < n; k++)
			r = fec_write(fec, bad[k], round.values[k]);
	progress_add(n);
	return r;
}

static int compare_bad(const void *a, const void *b, void *context)
{
	uint64_t rounds = *(const uint64_t *)context;
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	if (x % rounds != y % rounds)
		return x % rounds < y % rounds ? -1 : 1;
	return (x > y) - (x < y);
}

void fec_sort(const struct fec *fec, uint64_t *bad, size_t n_bad)
{
	uint64_t rounds = fec_rounds(fec);
	qsort_r(bad, n_bad, sizeof *bad, compare_bad, &rounds);
}

/* Where in the sorted list each round's blocks begin. */
static size_t find_runs(struct propose *p, size_t n_bad)
{
	size_t n = 0;
	for (size_t i = 0; i < n_bad; i++)
		if (i == 0 || p->bad[i] % p->rounds != p->bad[i - 1] % p->rounds)
			p->starts[n++] = i;
	p->starts[n] = n_bad;
	return n;
}

int fec_propose(const struct fec *fec, const struct file *parity, uint64_t offset,
	const uint64_t *bad, size_t n_bad, unsigned jobs, size_t *n_left)
{
	struct propose p = {.fec = fec,
		.parity = parity,
		.offset = offset,
		.bad = bad,
		.rounds = fec_rounds(fec)};
	*n_left = 0;
	int r = fec_check(fec);
	if (r < 0 || n_bad == 0)
		return r;
	if (jobs == 0)
		jobs = workers_default();
	p.starts = calloc(n_bad + 1, sizeof *p.starts);
	p.scratch = calloc(jobs, sizeof *p.scratch);
	if (!p.starts || !p.scratch)
		r = error_memory();
	for (unsigned i = 0; r == 0 && i < jobs; i++)
		if (!(p.scratch[i] = malloc(
			      fec->block_size * (size_t)(1 + 3 * fec->roots))))
			r = error_memory();
	if (r == 0)
		r = workers_run(jobs, find_runs(&p, n_bad), propose_round, &p);
	for (unsigned i = 0; p.scratch && i < jobs; i++)
		free(p.scratch[i]);
	free(p.scratch);
	free(p.starts);
	*n_left = atomic_load(&p.n_left);
	return r;
}
