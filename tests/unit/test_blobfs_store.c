/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "blobfs/add.h"
#include "blobfs/check.h"
#include "blobfs/refs.h"
#include "core/fsverity.h"
#include "tests/unit/memory_device.h"

static struct memory m;
static struct blobfs_device d;
static struct blobfs_store s;

static int start(void **state)
{
	(void)state;
	memory_start(&m, &d);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	blobfs_store_close(&s);
	memory_stop(&m, &d);
	return 0;
}

static void format(uint64_t size)
{
	struct blobfs_format f = {.size = size, .uuid = {1}};
	assert_int_equal(blobfs_store_format(&s, &d, &f), 0);
}

/* The same bytes for the same seed and size. */
static uint8_t *content(unsigned seed, size_t size)
{
	uint8_t *data = malloc(size + 1);
	uint32_t x = seed * 2654435761u + 1;
	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (uint8_t)(x >> 24);
	}
	return data;
}

static void add(unsigned seed, size_t size, uint8_t *digest)
{
	uint8_t *data = content(seed, size), expected[32];
	struct fsverity_params p = FSVERITY_DEFAULTS;
	assert_int_equal(blobfs_add_span(&s, span_of(data, size), digest), 0);
	assert_int_equal(fsverity_digest_span(&p, span_of(data, size), expected), 0);
	assert_memory_equal(digest, expected, 32);
	free(data);
}

static void expect_content(unsigned seed, size_t size, const uint8_t *digest)
{
	uint8_t *data = content(seed, size);
	BUFFER got = {0};
	assert_int_equal(blobfs_store_load(&s, digest, size, &got), 0);
	assert_int_equal(got.size, size);
	if (size)
		assert_memory_equal(got.data, data, size);
	free(data);
}

static void print_finding(void *context, enum status status, const char *sentence)
{
	(void)context;
	printf("# %d %s\n", status, sentence);
}

static void expect_clean(uint64_t n_blobs)
{
	struct blobfs_check c = {.jobs = 2, .found = print_finding};
	assert_int_equal(blobfs_check(&c, &s), 0);
	assert_int_equal(c.n_findings, 0);
	assert_int_equal(c.bad_super, 0);
	if (n_blobs)
		assert_int_equal(c.n_blobs, n_blobs);
}

static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000, 524287, 524288,
	524289, 528384, 1000000, 5000001};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

static void blobs_of_all_sizes_come_back(void **state)
{
	(void)state;
	uint8_t digests[N_SIZES][32];
	format(0);
	for (unsigned i = 0; i < N_SIZES; i++)
		add(i, sizes[i], digests[i]);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(s.fs.generation, 1);
	for (unsigned i = 0; i < N_SIZES; i++)
		expect_content(i, sizes[i], digests[i]);
	expect_clean(N_SIZES);
	/* Once more: all is there, and even the large ones are not written first. */
	m.recording = true;
	assert_int_equal(blobfs_store_begin(&s), 0);
	for (unsigned i = 0; i < N_SIZES; i++)
		add(i, sizes[i], digests[i]);
	assert_int_equal(s.n_unchanged, N_SIZES);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(s.fs.generation, 1);
	assert_int_equal(m.n_ops, 0);
}

static void same_blobs_same_bytes(void **state)
{
	(void)state;
	uint8_t digest[32], *first = malloc(MEMORY_MAX);
	for (unsigned round = 0; round < 2; round++) {
		struct blobfs_format f = {0};
		memset(m.bytes, round ? 0x55 : 0, MEMORY_MAX);
		assert_int_equal(blobfs_store_format(&s, &d, &f), 0);
		for (unsigned i = 0; i < 200; i++)
			add(i % 150, i % 150 * 97, digest);
		add(7, 2000000, digest);
		add(7, 2000000, digest);
		assert_int_equal(blobfs_store_commit(&s), 0);
		/* What was never written is not the image's. */
		if (round == 0)
			memcpy(first, m.bytes, MEMORY_MAX);
	}
	assert_memory_equal(first, m.bytes, 64);
	assert_memory_equal(first + BLOBFS_SUPER_B, m.bytes + BLOBFS_SUPER_B, 4096);
	assert_int_not_equal(m.bytes[48] | m.bytes[49], 0);
	expect_clean(0);
	free(first);
}

static void removed_blobs_are_gone_and_can_come_back(void **state)
{
	(void)state;
	uint8_t a[32], b[32];
	format(0);
	add(1, 10000, a);
	add(2, 20000, b);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(blobfs_store_begin(&s), 0);
	assert_int_equal(blobfs_store_remove(&s, a), 0);
	assert_int_equal(blobfs_store_has(&s, a), 0);
	assert_int_equal(blobfs_store_remove(&s, a), -ENOENT);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(blobfs_store_has(&s, a), 0);
	assert_int_equal(blobfs_store_has(&s, b), 1);
	assert_int_equal(blobfs_store_begin(&s), 0);
	assert_int_equal(blobfs_store_remove(&s, b), 0);
	add(2, 20000, b);
	add(1, 10000, a);
	assert_int_equal(blobfs_store_commit(&s), 0);
	expect_content(1, 10000, a);
	expect_content(2, 20000, b);
	expect_clean(2);
}

/* Many small changes: few runs, all blobs found, no page more than needed. */
static void many_commits_keep_runs_few(void **state)
{
	(void)state;
	uint8_t digests[600][32];
	format(0);
	uint64_t written = 0;
	for (unsigned i = 0; i < 600; i++) {
		m.recording = true;
		assert_int_equal(blobfs_store_begin(&s), 0);
		add(i, 10 + i, digests[i]);
		assert_int_equal(blobfs_store_commit(&s), 0);
		for (size_t o = 0; o < m.n_ops; o++)
			written += m.ops[o].size;
		memory_forget(&m);
		assert_in_range(s.fs.n_runs, 1, 3);
	}
	for (unsigned i = 0; i < 600; i++)
		expect_content(i, 10 + i, digests[i]);
	expect_clean(600);
	/* A pack block, a superblock, the free list, and a share of the index. */
	assert_in_range(written / 600, 4 * 4096, 12 * 4096);
	assert_in_range(s.fs.used_end, 0, BLOBFS_MIN_END + (700 << 12));
}

static void refs_are_switched_with_the_state(void **state)
{
	(void)state;
	uint8_t a[32];
	AUTO_BLOBFS_REFS refs = {0}, got = {0};
	format(0);
	add(1, 10000, a);
	assert_int_equal(blobfs_refs_set(&refs, "os/1.0", a), 0);
	assert_int_equal(blobfs_refs_set(&refs, "a", a), 0);
	assert_int_equal(blobfs_refs_set(&refs, "z", a), 0);
	assert_int_equal(blobfs_refs_set(&refs, "os/1.0", a), 0);
	assert_int_equal(blobfs_refs_set(&refs, "-x", a), -EINVAL);
	assert_int_equal(blobfs_refs_delete(&refs, "y"), -ENOENT);
	assert_int_equal(blobfs_refs_store(&refs, &s), 0);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(blobfs_refs_load(&got, &s), 0);
	assert_int_equal(got.n_refs, 3);
	assert_string_equal(got.refs[1].name, "os/1.0");
	assert_memory_equal(got.refs[1].digest, a, 32);
	expect_clean(2);
	assert_int_equal(blobfs_store_begin(&s), 0);
	for (unsigned i = 3; i-- > 0;)
		assert_int_equal(blobfs_refs_delete(&got, got.refs[i].name), 0);
	assert_int_equal(blobfs_refs_store(&got, &s), 0);
	assert_int_equal(blobfs_store_commit(&s), 0);
	blobfs_refs_free(&got);
	assert_int_equal(blobfs_refs_load(&got, &s), 0);
	assert_int_equal(got.n_refs, 0);
}

static void malformed_refs_are_refused(void **state)
{
	(void)state;
	uint8_t a[32] = {7};
	BUFFER good = {0};
	AUTO_BLOBFS_REFS refs = {0}, got = {0};
	assert_int_equal(blobfs_refs_set(&refs, "one", a), 0);
	assert_int_equal(blobfs_refs_set(&refs, "two", a), 0);
	assert_int_equal(blobfs_refs_write(&refs, &good), 0);
	assert_int_equal(blobfs_refs_parse(&got, buffer_span(&good), "x"), 0);
	/* Any one byte of the frame changed, any shorter length, one byte more. */
	static const size_t places[] = {0, 8, 9, 15, 16, 17, 19, 52, 53};
	for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
		blobfs_refs_free(&got);
		good.data[places[i]] ^= 0x80;
		assert_int_equal(
			blobfs_refs_parse(&got, buffer_span(&good), "x"), -EINVAL);
		good.data[places[i]] ^= 0x80;
	}
	for (size_t size = 0; size < good.size; size++) {
		blobfs_refs_free(&got);
		assert_int_equal(
			blobfs_refs_parse(&got, span_of(good.data, size), "x"), -EINVAL);
	}
	assert_int_equal(buffer_append_zeros(&good, 1), 0);
	blobfs_refs_free(&got);
	assert_int_equal(blobfs_refs_parse(&got, buffer_span(&good), "x"), -EINVAL);
}

static void full_device_refuses_and_stays(void **state)
{
	(void)state;
	uint8_t a[32], digest[32], *data = content(9, 3000000);
	format(BLOBFS_MIN_END + (1 << 20));
	add(1, 500000, a);
	assert_int_equal(blobfs_store_commit(&s), 0);
	assert_int_equal(blobfs_store_begin(&s), 0);
	assert_int_equal(blobfs_add_span(&s, span_of(data, 3000000), digest), -ENOSPC);
	blobfs_store_close(&s);
	assert_int_equal(blobfs_store_open(&s, &d), 0);
	expect_content(1, 500000, a);
	expect_clean(1);
	assert_int_equal(blobfs_store_begin(&s), 0);
	add(2, 400000, digest);
	assert_int_equal(blobfs_store_commit(&s), 0);
	expect_clean(2);
	free(data);
}

/* Frees by rewriting the index; counts where the next run goes. */
static uint64_t change(unsigned seed)
{
	uint8_t digest[32];
	assert_int_equal(blobfs_store_begin(&s), 0);
	add(seed, 1, digest);
	assert_int_equal(blobfs_store_commit(&s), 0);
	return s.fs.used_end;
}

static void readers_keep_what_they_may_read(void **state)
{
	(void)state;
	uint8_t digest[32];
	format(0);
	/* Enough to fill the place between the superblocks. */
	add(1, 254 * 4096, digest);
	assert_int_equal(blobfs_store_commit(&s), 0);
	uint64_t end = 0;
	for (unsigned i = 0; i < 20; i++)
		end = change(100 + i);
	/* Each change needs a run and a free list anew, but reuses old ones' places. */
	uint64_t without = change(200);
	assert_in_range(without - end, 0, 2 * 4096);
	m.has_readers = true;
	end = change(300);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(change(300 + i), end + i * 3 * 4096);
	m.has_readers = false;
	expect_clean(0);
}

static void damage_is_named_and_healed_by_adding(void **state)
{
	(void)state;
	uint8_t a[32];
	format(0);
	add(1, 300000, a);
	add(2, 30000, a);
	assert_int_equal(blobfs_store_commit(&s), 0);
	struct blobfs_entry e;
	assert_int_equal(blobfs_find(&s.fs, a, &e), 0);
	m.bytes[e.data + 5000] ^= 1;
	m.bytes[e.data + 9000] ^= 1;
	struct blobfs_check c = {.jobs = 2, .found = print_finding, .all = true};
	assert_int_equal(blobfs_check(&c, &s), 0);
	assert_int_equal(c.n_findings, 2);
	assert_int_equal(c.worst, STATUS_CONTENT);
	c.all = false;
	assert_int_equal(blobfs_check(&c, &s), 0);
	assert_int_equal(c.n_findings, 1);
	m.bytes[e.tree] ^= 1;
	assert_int_equal(blobfs_store_has(&s, a), 0);
	assert_int_equal(blobfs_store_begin(&s), 0);
	add(2, 30000, a);
	assert_int_equal(blobfs_store_commit(&s), 0);
	expect_content(2, 30000, a);
	expect_clean(2);
}

/* A blob of any size is there only if the top of its tree is what it should be. */
static void damaged_tops_are_healed_by_adding(void **state)
{
	(void)state;
	static const size_t tops[] = {1, 4095, 4096, 4097, 524288, 524289};
	struct blobfs_entry e;
	uint8_t a[32];
	format(0);
	for (unsigned i = 0; i < 6; i++)
		add(i, tops[i], a);
	assert_int_equal(blobfs_store_commit(&s), 0);
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned damaged = 0; damaged < 2; damaged++) {
			assert_int_equal(blobfs_store_begin(&s), 0);
			uint64_t unchanged = s.n_unchanged;
			add(i, tops[i], a);
			assert_int_equal(s.n_unchanged - unchanged, !damaged);
			assert_int_equal(blobfs_store_commit(&s), 0);
			expect_content(i, tops[i], a);
			assert_int_equal(blobfs_find(&s.fs, a, &e), 0);
			uint64_t block = e.size == 4096 ? e.data : e.tail;
			m.bytes[e.size > 4096 ? e.tree : block] ^= 1;
		}
	}
}

/* Both ways to look up must agree, over several runs and tombstones. */
static void guessing_finds_what_bisection_finds(void **state)
{
	(void)state;
	static const unsigned counts[] = {20000, 3000, 400, 50};
	uint8_t digest[32];
	struct blobfs_entry a, b;
	struct blobfs_place place;
	static struct blobfs_pages pages;
	unsigned n = 0, found = 0;
	format(0);
	for (size_t i = 0; i < 4; i++) {
		for (unsigned end = n + counts[i]; n < end; n++)
			assert_int_equal(
				blobfs_add_span(&s, span_of(&n, sizeof n), digest), 0);
		if (i == 3)
			for (unsigned k = 0; k < 20000; k += 500) {
				struct fsverity_params p = FSVERITY_DEFAULTS;
				fsverity_digest_span(&p, span_of(&k, sizeof k), digest);
				assert_int_equal(blobfs_store_remove(&s, digest), 0);
			}
		assert_int_equal(blobfs_store_commit(&s), 0);
		assert_int_equal(blobfs_store_begin(&s), 0);
	}
	assert_true(s.fs.n_runs > 1);
	for (unsigned k = 0; k < n + 1000; k++) {
		struct fsverity_params p = FSVERITY_DEFAULTS;
		fsverity_digest_span(&p, span_of(&k, sizeof k), digest);
		int r = blobfs_find_place(&s.fs, &pages, digest, &a, &place);
		assert_int_equal(r, blobfs_find(&s.fs, digest, &b));
		if (r)
			continue;
		found++;
		assert_memory_equal(&a, &b, sizeof a);
		assert_int_equal(blobfs_entry_at(&s.fs, &place, &b), 0);
		assert_memory_equal(&a, &b, sizeof a);
	}
	assert_int_equal(found, n - 40);
}

#define FRESH(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(blobs_of_all_sizes_come_back),
		FRESH(same_blobs_same_bytes),
		FRESH(removed_blobs_are_gone_and_can_come_back),
		FRESH(many_commits_keep_runs_few),
		FRESH(refs_are_switched_with_the_state),
		FRESH(malformed_refs_are_refused),
		FRESH(full_device_refuses_and_stays),
		FRESH(readers_keep_what_they_may_read),
		FRESH(damage_is_named_and_healed_by_adding),
		FRESH(damaged_tops_are_healed_by_adding),
		FRESH(guessing_finds_what_bisection_finds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
