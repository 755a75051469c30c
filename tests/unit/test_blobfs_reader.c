/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/hex.h"
#include "tests/unit/handmade_blobfs.h"

#define N_SLOTS 16

static struct handmade h;
static struct blobfs fs;
static struct blobfs_slot slots[N_SLOTS];
static uint8_t *content;

#define CONTENT 1000000

static int start(void **state)
{
	(void)state;
	handmade_start(&h);
	content = handmade_content(CONTENT);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	handmade_stop(&h);
	free(content);
	return 0;
}

static int open_with(unsigned n_slots)
{
	struct blobfs_platform p = handmade_platform(&h);
	return blobfs_open(&fs, &p, slots, n_slots);
}

/* Sources: fsverity-utils test_compute_digest.c, composefs tests/test-units.sh. */
static const struct {
	size_t size;
	const char *text, *digest;
} known[] = {
	{1000000, NULL,
		"48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9"},
	{4096, NULL, "6ac39979016e3ddf3d39fff6cb984f7c118acdf1852919f5c100c4b142c1818e"},
	{0, NULL, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"},
	{12, "hello world\n",
		"37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92"},
};
#define N_KNOWN (sizeof known / sizeof known[0])

static const uint8_t *known_data(unsigned i)
{
	return known[i].text ? (const uint8_t *)known[i].text : content;
}

static void add_known(void)
{
	for (unsigned i = 0; i < N_KNOWN; i++)
		handmade_add(&h, known_data(i), known[i].size);
}

static void read_known(unsigned i, size_t piece)
{
	uint8_t digest[32], *got = malloc(CONTENT + 1);
	struct blobfs_blob blob;
	assert_int_equal(hex_decode(known[i].digest, digest, 32), 0);
	assert_int_equal(blobfs_open_blob(&fs, digest, &blob), 0);
	assert_int_equal(blob.entry.size, known[i].size);
	size_t at = 0, n = 1;
	for (; n > 0; at += n)
		assert_int_equal(blobfs_read(&fs, &blob, at, got + at, piece, &n), 0);
	assert_int_equal(at, known[i].size);
	assert_memory_equal(got, known_data(i), known[i].size);
	free(got);
}

static void known_blobs_are_read(void **state)
{
	(void)state;
	static const size_t pieces[] = {CONTENT, 4096, 65536, 1000, 12289};
	add_known();
	handmade_finish(&h);
	for (unsigned n_slots = 1; n_slots <= N_SLOTS; n_slots *= 4) {
		assert_int_equal(open_with(n_slots), 0);
		for (unsigned i = 0; i < N_KNOWN; i++)
			for (unsigned p = 0; p < sizeof pieces / sizeof pieces[0]; p++)
				read_known(i, pieces[p]);
	}
}

static void every_entry_is_found_in_every_page(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		handmade_add(&h, content + i, 1);
	/* 200 one-byte blobs of which several are the same; the run holds each once. */
	qsort(h.entries, h.n_entries, sizeof h.entries[0], handmade_order);
	unsigned n = 0;
	for (unsigned i = 0; i < h.n_entries; i++)
		if (n == 0 || memcmp(h.entries[n - 1].digest, h.entries[i].digest, 32))
			h.entries[n++] = h.entries[i];
	assert_in_range(n, 100, 200);
	for (unsigned per_page = 1; per_page <= 63; per_page += 31) {
		struct blobfs_run run = handmade_run(&h, h.entries, n, per_page);
		handmade_super(&h, &run, 1);
		assert_int_equal(open_with(1), 0);
		for (unsigned i = 0; i < n; i++) {
			struct blobfs_entry e;
			uint8_t other[32];
			memcpy(other, h.entries[i].digest, 32);
			assert_int_equal(blobfs_find(&fs, other, &e), 0);
			assert_int_equal(e.tail, get_le64(h.entries[i].tail));
			other[31] ^= 1;
			assert_int_equal(blobfs_find(&fs, other, &e), BLOBFS_MISSING);
		}
	}
}

static void newer_runs_hide_older_ones(void **state)
{
	(void)state;
	struct blobfs_blob blob;
	struct blobfs_disk_entry e = *handmade_add(&h, content, 5000), dead = e;
	put_le64(dead.size, BLOBFS_TOMBSTONE);
	struct blobfs_run runs[3] = {{0}};
	runs[2] = handmade_run(&h, &e, 1, 63);
	runs[1] = handmade_run(&h, &dead, 1, 63);
	runs[0] = handmade_run(&h, &e, 1, 63);
	handmade_super(&h, runs, 3);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(blobfs_open_blob(&fs, e.digest, &blob), 0);
	handmade_super(&h, runs + 1, 2);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(blobfs_open_blob(&fs, e.digest, &blob), BLOBFS_MISSING);
	handmade_super(&h, runs + 2, 1);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(blobfs_open_blob(&fs, e.digest, &blob), 0);
}

/* Reads all of the blob; whatever happens nothing unverified may be in the buffer. */
static int read_all(const uint8_t *digest, const uint8_t *truth, size_t size)
{
	struct blobfs_blob blob;
	int r = blobfs_open_blob(&fs, digest, &blob);
	if (r)
		return r;
	assert_int_equal(blob.entry.size, size);
	uint8_t *got = malloc(size + 1);
	memset(got, 0, size + 1);
	size_t n;
	r = blobfs_read(&fs, &blob, 0, got, size, &n);
	for (size_t i = 0; i < size; i++)
		assert_true(got[i] == (i < n ? truth[i] : 0));
	free(got);
	return r;
}

static void every_flipped_byte_is_noticed(void **state)
{
	(void)state;
	uint8_t digest[32];
	memcpy(digest, handmade_add(&h, content, 600000)->digest, 32);
	handmade_finish(&h);
	assert_int_equal(open_with(N_SLOTS), 0);
	assert_int_equal(read_all(digest, content, 600000), 0);
	unsigned good = 0, bad = 0;
	for (uint64_t at = BLOBFS_MIN_END; at < h.end; at += 1999) {
		h.image[at] ^= 0x10;
		assert_int_equal(open_with(N_SLOTS), 0);
		int r = read_all(digest, content, 600000);
		assert_true(r == 0 || r == BLOBFS_DAMAGED);
		r == 0 ? good++ : bad++;
		h.image[at] ^= 0x10;
	}
	/* Only the padding behind the tail does not matter. */
	assert_in_range(good, 0, 2);
	assert_true(bad > 300);
}

static void other_blobs_cannot_lend_their_blocks(void **state)
{
	(void)state;
	/* Two blobs of one size; the index says that A's tree and data are those of B. */
	size_t size = 600000;
	struct blobfs_disk_entry *a = handmade_add(&h, content, size);
	struct blobfs_disk_entry *b = handmade_add(&h, content + 7, size);
	uint8_t digest_a[32], digest_b[32], tree_b[8];
	memcpy(digest_a, a->digest, 32);
	memcpy(digest_b, b->digest, 32);
	memcpy(tree_b, b->tree, 8);
	uint8_t *swap = malloc(BLOBFS_BLOCK);
	handmade_finish(&h);
	assert_int_equal(open_with(N_SLOTS), 0);
	assert_int_equal(read_all(digest_b, content + 7, size), 0);
	assert_int_equal(read_all(digest_a, content, size), 0);
	/* Everything of A but the top of its tree is B's, and B's blocks are verified. */
	for (unsigned i = 0; i < 2; i++) {
		struct blobfs_disk_entry *e = &h.entries[i];
		if (memcmp(e->digest, digest_a, 32) != 0)
			continue;
		uint64_t tree = get_le64(e->tree);
		memcpy(swap, h.image + tree, BLOBFS_BLOCK);
		memcpy(e->data, h.entries[!i].data, 8);
		memcpy(e->tail, h.entries[!i].tail, 8);
		/* A's own top before B's level 0, in a place of their own. */
		uint64_t at = handmade_put(&h, swap, BLOBFS_BLOCK);
		handmade_put(
			&h, h.image + get_le64(tree_b) + BLOBFS_BLOCK, 2 * BLOBFS_BLOCK);
		put_le64(e->tree, at);
	}
	struct blobfs_run run = handmade_run(&h, h.entries, 2, 63);
	handmade_super(&h, &run, 1);
	assert_int_equal(open_with(N_SLOTS), 0);
	assert_int_equal(read_all(digest_b, content + 7, size), 0);
	struct blobfs_blob blob;
	assert_int_equal(blobfs_open_blob(&fs, digest_a, &blob), 0);
	assert_int_equal(read_all(digest_a, content, size), BLOBFS_DAMAGED);
	assert_int_equal(read_all(digest_b, content + 7, size), 0);
	free(swap);
}

static void size_is_believed_only_with_its_digest(void **state)
{
	(void)state;
	struct blobfs_blob blob;
	struct blobfs_disk_entry *e = handmade_add(&h, content, 20000);
	static const uint64_t lies[] = {19999, 20001, 16384, 4096, 1, 0, 40000000,
		INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1};
	for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		put_le64(e->size, lies[i]);
		handmade_finish(&h);
		assert_int_equal(open_with(1), 0);
		int r = blobfs_open_blob(&fs, e->digest, &blob);
		assert_true(r == BLOBFS_DAMAGED || r == BLOBFS_MALFORMED);
	}
	put_le64(e->size, 20000);
	handmade_finish(&h);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(read_all(e->digest, content, 20000), 0);
}

static void places_outside_are_refused(void **state)
{
	(void)state;
	struct blobfs_blob blob;
	struct blobfs_disk_entry *e = handmade_add(&h, content, 600000);
	uint8_t *fields[] = {e->data, e->tree, e->tail};
	static const uint64_t lies[] = {HANDMADE_SIZE, HANDMADE_SIZE - 100, UINT64_MAX,
		UINT64_MAX - 4095, (uint64_t)1 << 63, 4097};
	for (unsigned f = 0; f < 3; f++)
		for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
			uint64_t truth = get_le64(fields[f]);
			put_le64(fields[f], lies[i]);
			handmade_finish(&h);
			assert_int_equal(open_with(1), 0);
			int r = blobfs_open_blob(&fs, e->digest, &blob);
			/* A tail may lie anywhere; its bytes are then found to be wrong.
			 */
			if (r == 0)
				r = read_all(e->digest, content, 600000);
			assert_true(r == BLOBFS_MALFORMED || r == BLOBFS_DAMAGED);
			put_le64(fields[f], truth);
		}
	handmade_finish(&h);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(read_all(e->digest, content, 600000), 0);
}

static void unsorted_pages_end_the_search(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		handmade_add(&h, content + i, 4000 + i);
	struct blobfs_run run = handmade_run(&h, h.entries, 200, 3);
	/* Pages in reverse: most are not found, each is found or missing, none is wrong.
	 */
	for (uint64_t a = 0, b = run.pages - 1; a < b; a++, b--)
		for (unsigned i = 0; i < BLOBFS_BLOCK; i++) {
			uint8_t *p = h.image + run.offset + a * BLOBFS_BLOCK + i;
			uint8_t *q = h.image + run.offset + b * BLOBFS_BLOCK + i, t = *p;
			*p = *q;
			*q = t;
		}
	handmade_super(&h, &run, 1);
	assert_int_equal(open_with(1), 0);
	unsigned found = 0;
	for (unsigned i = 0; i < 200; i++) {
		struct blobfs_entry e;
		int r = blobfs_find(&fs, h.entries[i].digest, &e);
		assert_true(r == 0 || r == BLOBFS_MISSING);
		found += r == 0;
	}
	assert_in_range(found, 1, 100);
}

static unsigned reads_left;

static int read_failing(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	return reads_left-- == 0 ? -1 : handmade_read(context, offset, data, size);
}

static void every_failed_read_is_an_error(void **state)
{
	(void)state;
	uint8_t digest[32];
	memcpy(digest, handmade_add(&h, content, 600000)->digest, 32);
	handmade_finish(&h);
	unsigned fails = 0;
	for (unsigned good = 0;; good++) {
		struct blobfs_platform p = handmade_platform(&h);
		p.read = read_failing;
		reads_left = good;
		int r = blobfs_open(&fs, &p, slots, N_SLOTS);
		r = r ? r : read_all(digest, content, 600000);
		/* Superblock A is not there: reading it in vain changes nothing. */
		if (r == 0 && good > 0)
			break;
		assert_true(r == 0 || r == BLOBFS_IO);
		fails += r != 0;
	}
	assert_true(fails > 8);
}

#define FRESH(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(known_blobs_are_read),
		FRESH(every_entry_is_found_in_every_page),
		FRESH(newer_runs_hide_older_ones),
		FRESH(every_flipped_byte_is_noticed),
		FRESH(other_blobs_cannot_lend_their_blocks),
		FRESH(size_is_believed_only_with_its_digest),
		FRESH(places_outside_are_refused),
		FRESH(unsorted_pages_end_the_search),
		FRESH(every_failed_read_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
