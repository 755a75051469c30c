/* SPDX-License-Identifier: MIT */
/* Small blobs verified together: a bad one is never good, whichever byte is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blobfs/add.h"
#include "blobfs/bulk.h"
#include "tests/unit/memory_device.h"

/* Multiples of the block and not, with trees and without; the last one is the largest. */
static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 20000, 65536, 99999, 524288};
#define N (sizeof sizes / sizeof sizes[0])

static struct memory m;
static struct blobfs_device d;
static struct blobfs_store s;
static struct blobfs_entry entries[N];
static struct blobfs_bulk *bulk;
static uint64_t random_state = 7;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static int set_up(void **state)
{
	(void)state;
	uint8_t digest[32], *data = malloc(sizes[N - 1]);
	struct blobfs_format format = {0};
	memory_start(&m, &d);
	assert_int_equal(blobfs_store_format(&s, &d, &format), 0);
	for (size_t i = 0; i < N; i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			data[k] = (uint8_t)random_below(256);
		assert_int_equal(blobfs_add_span(&s, span_of(data, sizes[i]), digest), 0);
		memcpy(entries[i].digest, digest, sizeof digest);
	}
	assert_int_equal(blobfs_store_commit(&s), 0);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(blobfs_find(&s.fs, entries[i].digest, &entries[i]), 0);
	assert_int_equal(blobfs_bulk_new(&bulk, &d), 0);
	free(data);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	blobfs_bulk_free(bulk);
	blobfs_store_close(&s);
	memory_stop(&m, &d);
	return 0;
}

static int by_place(const void *a, const void *b)
{
	uint64_t size,
		x = blobfs_bulk_place(*(const struct blobfs_entry *const *)a, &size);
	uint64_t y = blobfs_bulk_place(*(const struct blobfs_entry *const *)b, &size);
	return (x > y) - (x < y);
}

/* Verifies all of LIST, sorted; returns how many are good, and whether WANTED is. */
static size_t verify(
	const struct blobfs_entry *list, const struct blobfs_entry *wanted, bool *is_good)
{
	const struct blobfs_entry *sorted[N];
	bool good[N];
	size_t n = 0;
	for (size_t i = 0; i < N; i++)
		sorted[i] = &list[i];
	qsort(sorted, N, sizeof sorted[0], by_place);
	blobfs_bulk_verify(bulk, &s.fs, sorted, N, good);
	for (size_t i = 0; i < N; i++) {
		n += good[i];
		if (sorted[i] == wanted)
			*is_good = good[i];
	}
	return n;
}

/* One byte of one part of a blob: where it is, or 0 if the blob has no such part. */
static uint64_t byte_of(const struct blobfs_entry *e, unsigned part)
{
	uint32_t rest = e->size % 4096, full = (uint32_t)(e->size - rest);
	uint32_t tree = (uint32_t)u64_div_up(e->size, 4096) * 32;
	if (part == 0)
		return full ? e->data + random_below(full) : 0;
	if (part == 1)
		return rest ? e->tail + random_below(rest) : 0;
	return tree > 32 ? e->tree + random_below(tree) : 0;
}

static void every_byte_counts(void **state)
{
	(void)state;
	unsigned n_tried = 0, turns = getenv("CAIRN_LONG") ? 5000 : 100;
	bool good = false;
	assert_int_equal(verify(entries, NULL, &good), N);
	for (unsigned turn = 0; turn < turns; turn++) {
		const struct blobfs_entry *e = &entries[turn % N];
		uint64_t at = byte_of(e, turn / N % 3);
		if (at == 0)
			continue;
		uint8_t was = m.bytes[at];
		m.bytes[at] ^= (uint8_t)(1 << random_below(8));
		good = true;
		/* Parts are packed side by side, not one over another. */
		assert_int_equal(verify(entries, e, &good), N - 1);
		assert_false(good);
		m.bytes[at] = was;
		n_tried++;
	}
	assert_true(n_tried > turns / 3);
	assert_int_equal(verify(entries, NULL, &good), N);
}

/* A size or a name that is another's, and places that are nowhere. */
static void entries_that_lie(void **state)
{
	(void)state;
	bool good;
	for (size_t i = 0; i < N; i++) {
		for (unsigned lie = 0; lie < 5; lie++) {
			struct blobfs_entry list[N];
			memcpy(list, entries, sizeof list);
			if (lie == 0)
				list[i].size++;
			else if (lie == 1)
				list[i].digest[random_below(32)] ^= 1;
			else if (lie == 2)
				list[i].data = UINT64_MAX - 4095;
			else if (lie == 3)
				list[i].tail = UINT64_MAX - random_below(9000);
			else
				list[i].tree = d.size - 8;
			/* Where there is no such part its place says nothing. */
			bool matters = lie < 2 || byte_of(&entries[i], lie - 2);
			good = true;
			verify(list, &list[i], &good);
			assert_int_equal(good, !matters);
		}
	}
}

/* More blocks than the window has, as only blobs have that lie over each other. */
static void blobs_over_each_other(void **state)
{
	(void)state;
	const struct blobfs_entry *same[BLOBFS_BULK_BLOBS];
	bool good[BLOBFS_BULK_BLOBS];
	for (size_t i = 0; i < BLOBFS_BULK_BLOBS; i++)
		same[i] = &entries[N - 1];
	blobfs_bulk_verify(bulk, &s.fs, same, BLOBFS_BULK_BLOBS, good);
	assert_true(good[0]);
	assert_false(good[BLOBFS_BULK_BLOBS - 1]);
}

/* What is too far ahead is left to the reader. */
static void blobs_far_apart(void **state)
{
	(void)state;
	struct blobfs_entry far = entries[3];
	uint64_t at = MEMORY_MAX - 4096;
	memcpy(m.bytes + at, m.bytes + far.data, 4096);
	far.data = at;
	const struct blobfs_entry *two[] = {&entries[3], &far};
	bool good[2];
	s.fs.platform.size = MEMORY_MAX;
	blobfs_bulk_verify(bulk, &s.fs, two, 2, good);
	assert_true(good[0]);
	assert_false(good[1]);
	blobfs_bulk_verify(bulk, &s.fs, two + 1, 1, good);
	assert_true(good[0]);
	s.fs.platform.size = d.size;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(entries_that_lie),
		cmocka_unit_test(blobs_over_each_other),
		cmocka_unit_test(blobs_far_apart),
	};
	return cmocka_run_group_tests_name("blobfs bulk", tests, set_up, tear_down);
}
