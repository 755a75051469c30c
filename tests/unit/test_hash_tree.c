/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/block_cache.h"
#include "verifier/hash_tree.h"

/* ---- trees ------------------------------------------------------------------------- */

#define BLOCK  512u /* 16 digests: three levels of tree */
#define BLOCKS 700u
#define MOVED  5u /* what is in one at block I is in the other at I + MOVED */

struct pair {
	uint8_t data[2][BLOCKS]; /* the byte that each block is full of */
	struct file trees[2];
	struct verity_params params;
	uint8_t roots[2][HASH_MAX_SIZE];
};

static void build(struct pair *p, unsigned k)
{
	AUTO_FILE f = FILE_CLOSED;
	uint8_t block[BLOCK];
	assert_int_equal(file_in_memory(&f, "data", (struct span){0}), 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		memset(block, p->data[k][i], sizeof block);
		assert_int_equal(file_write(&f, block, sizeof block, i * BLOCK), 0);
	}
	f.size = BLOCKS * BLOCK;
	assert_int_equal(file_in_memory(&p->trees[k], "tree", (struct span){0}), 0);
	assert_int_equal(
		verity_build(&p->params, &f, 0, &p->trees[k], BLOCK, 1, p->roots[k]), 0);
}

static void make(struct pair *p, enum hash_alg alg, unsigned version)
{
	p->params = (struct verity_params){.version = version,
		.alg = alg,
		.data_block_size = BLOCK,
		.hash_block_size = BLOCK,
		.data_blocks = BLOCKS,
		.salt = {1, 2, 3},
		.salt_size = 3};
	/* The first half is in the same place, the rest is moved; some blocks differ. */
	srandom(1);
	for (unsigned i = 0; i < BLOCKS; i++)
		p->data[0][i] = p->data[1][i] = (uint8_t)random();
	for (unsigned i = BLOCKS / 2; i + MOVED < BLOCKS; i++)
		p->data[1][i + MOVED] = p->data[0][i];
	for (unsigned i = 0; i < 9; i++)
		p->data[1][random() % BLOCKS]++;
	build(p, 0);
	build(p, 1);
}

static void drop(struct pair *p)
{
	file_close(&p->trees[0]);
	file_close(&p->trees[1]);
}

static int open_tree(struct hash_tree *t, const struct pair *p, unsigned k, bool claims)
{
	int r = hash_tree_open(t, &p->trees[k], BLOCK, &p->params, p->roots[k], claims);
	return r ? r : hash_tree_check(t);
}

static void compare_everywhere(const struct pair *p, bool claims)
{
	struct hash_tree a, b;
	assert_int_equal(open_tree(&a, p, 0, claims), 0);
	assert_int_equal(open_tree(&b, p, 1, claims), 0);
	unsigned n_same = 0;
	for (unsigned round = 0; round < 4000; round++) {
		unsigned n = 1 + (unsigned)random() % (round % 2 ? 8 : 60);
		unsigned i = (unsigned)random() % (BLOCKS - n - MOVED);
		unsigned k = round % 3 ? i : i + MOVED;
		bool same = !memcmp(p->data[0] + i, p->data[1] + k, n);
		assert_int_equal(hash_tree_compare(&a, i, &b, k, n),
			same ? SAMENESS_SAME : SAMENESS_DIFFERENT);
		n_same += same;
	}
	assert_in_range(n_same, 1000, 3000);
	hash_tree_close(&a);
	hash_tree_close(&b);
}

static void leaves_tell_what_is_the_same(void **state)
{
	(void)state;
	static const enum hash_alg algs[] = {HASH_SHA1, HASH_SHA256, HASH_SHA512};
	for (unsigned i = 0; i < 6; i++) {
		struct pair p;
		make(&p, algs[i % 3], i / 3);
		compare_everywhere(&p, false);
		compare_everywhere(&p, true);
		drop(&p);
	}
}

static void flip(const struct file *f, uint64_t at)
{
	uint8_t byte;
	assert_int_equal(file_read(f, &byte, 1, at), 0);
	byte ^= 1;
	assert_int_equal(file_write(f, &byte, 1, at), 0);
}

/* Wherever it is not what the root says, and also if it was when it was checked. */
static void a_wrong_tree_is_noticed(void **state)
{
	(void)state;
	struct pair p;
	struct hash_tree a, b;
	uint64_t size;
	make(&p, HASH_SHA256, 1);
	assert_int_equal(verity_tree_size(&p.params, &size), 0);
	for (uint64_t at = BLOCK; at < BLOCK + size; at += 61) {
		flip(&p.trees[0], at);
		assert_true(open_tree(&a, &p, 0, false) < 0);
		assert_int_equal(error_status(), STATUS_CONTENT);
		hash_tree_close(&a);
		assert_int_equal(open_tree(&a, &p, 0, true), 0);
		hash_tree_close(&a);
		flip(&p.trees[0], at);
	}
	assert_int_equal(open_tree(&a, &p, 0, false), 0);
	assert_int_equal(open_tree(&b, &p, 1, false), 0);
	flip(&p.trees[0], BLOCK + size - BLOCK);
	unsigned last = BLOCKS - 3;
	assert_int_equal(hash_tree_compare(&a, last, &b, last - 9, 1), SAMENESS_UNKNOWN);
	flip(&p.trees[0], BLOCK + size - BLOCK);
	assert_int_equal(
		hash_tree_compare(&a, last, &b, last - 9, 1), SAMENESS_DIFFERENT);
	hash_tree_close(&a);
	hash_tree_close(&b);
	drop(&p);
}

/* ---- blocks that are kept ---------------------------------------------------------- */

#define CACHED (3 * BLOCK_CACHE_SLOTS * BLOCK_CACHE_BLOCK + 100)

static void the_cache_reads_what_is_there(void **state)
{
	(void)state;
	AUTO_FILE f = FILE_CLOSED;
	uint8_t *all = malloc(CACHED), part[2 * BLOCK_CACHE_BLOCK];
	assert_non_null(all);
	srandom(2);
	for (size_t i = 0; i < CACHED; i++)
		all[i] = (uint8_t)random();
	assert_int_equal(file_in_memory(&f, "file", span_of(all, CACHED)), 0);
	struct block_cache c = {.file = &f};
	for (unsigned round = 0; round < 5000; round++) {
		size_t n = (size_t)random() % sizeof part;
		uint64_t at = (uint64_t)random() % (CACHED + 1 - n);
		assert_int_equal(block_cache_read(&c, part, n, at), 0);
		assert_memory_equal(part, all + at, n);
	}
	/* Up to the end, and not beyond it. */
	assert_int_equal(block_cache_read(&c, part, 64, CACHED - 64), 0);
	assert_memory_equal(part, all + CACHED - 64, 64);
	assert_true(block_cache_read(&c, part, 64, CACHED - 63) < 0);
	assert_non_null(strstr(error_text(), "64 bytes were expected"));
	block_cache_free(&c);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_tell_what_is_the_same),
		cmocka_unit_test(a_wrong_tree_is_noticed),
		cmocka_unit_test(the_cache_reads_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
