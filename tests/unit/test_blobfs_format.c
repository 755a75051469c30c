/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/handmade_blobfs.h"

#define N_BLOBS 4

static struct handmade h;
static struct blobfs fs;
static struct blobfs_slot slots[1];

static int start(void **state)
{
	(void)state;
	handmade_start(&h);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	handmade_stop(&h);
	return 0;
}

static int open_with(unsigned n_slots)
{
	struct blobfs_platform p = handmade_platform(&h);
	return blobfs_open(&fs, &p, slots, n_slots);
}

static void add_blobs(void)
{
	uint8_t *content = handmade_content(20000);
	for (unsigned i = 0; i < N_BLOBS; i++)
		handmade_add(&h, content, i * 5000);
	free(content);
}

static void layout_is_pinned(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct blobfs_super), 272);
	assert_int_equal(offsetof(struct blobfs_super, version), 8);
	assert_int_equal(offsetof(struct blobfs_super, header_size), 12);
	assert_int_equal(offsetof(struct blobfs_super, block_log2), 16);
	assert_int_equal(offsetof(struct blobfs_super, hash_algorithm), 17);
	assert_int_equal(offsetof(struct blobfs_super, n_runs), 18);
	assert_int_equal(offsetof(struct blobfs_super, compatible), 24);
	assert_int_equal(offsetof(struct blobfs_super, ro_compatible), 32);
	assert_int_equal(offsetof(struct blobfs_super, incompatible), 40);
	assert_int_equal(offsetof(struct blobfs_super, uuid), 48);
	assert_int_equal(offsetof(struct blobfs_super, generation), 64);
	assert_int_equal(offsetof(struct blobfs_super, device_size), 72);
	assert_int_equal(offsetof(struct blobfs_super, used_end), 80);
	assert_int_equal(offsetof(struct blobfs_super, free_entries), 88);
	assert_int_equal(offsetof(struct blobfs_super, free), 96);
	assert_int_equal(offsetof(struct blobfs_super, refs), 112);
	assert_int_equal(offsetof(struct blobfs_super, runs), 144);
	assert_int_equal(sizeof(struct blobfs_page), 32);
	assert_int_equal(offsetof(struct blobfs_page, count), 8);
	assert_int_equal(sizeof(struct blobfs_disk_entry), 64);
	assert_int_equal(offsetof(struct blobfs_disk_entry, size), 32);
	assert_int_equal(offsetof(struct blobfs_disk_entry, data), 40);
	assert_int_equal(offsetof(struct blobfs_disk_entry, tree), 48);
	assert_int_equal(offsetof(struct blobfs_disk_entry, tail), 56);
	assert_int_equal(sizeof(struct blobfs_disk_extent), 24);
	assert_int_equal(offsetof(struct blobfs_disk_extent, generation), 16);
	assert_int_equal(sizeof(struct blobfs_disk_refs), 16);
	assert_int_equal(sizeof(struct blobfs_descriptor), 256);
	assert_int_equal(offsetof(struct blobfs_descriptor, size), 8);
	assert_int_equal(offsetof(struct blobfs_descriptor, root), 16);
	assert_int_equal(offsetof(struct blobfs_descriptor, salt), 80);
	assert_int_equal(BLOBFS_PAGE_ENTRIES, 63);
	assert_int_equal(BLOBFS_PAGE_EXTENTS, 168);
	assert_int_equal(BLOBFS_SEAL, 4064);
	assert_int_equal(BLOBFS_MAX_LEVELS, 8);
}

static void superblocks_are_chosen_by_seal_and_generation(void **state)
{
	(void)state;
	add_blobs();
	assert_int_equal(open_with(1), BLOBFS_NOT_ONE);
	struct blobfs_super *first = handmade_finish(&h);
	struct blobfs_super *second = handmade_finish(&h);
	assert_int_equal(open_with(1), 0);
	assert_int_equal(fs.generation, 2);
	second->uuid[0] ^= 1;
	assert_int_equal(open_with(1), 0);
	assert_int_equal(fs.generation, 1);
	first->uuid[0] ^= 1;
	assert_int_equal(open_with(1), BLOBFS_DAMAGED);
	second->uuid[0] ^= 1;
	assert_int_equal(open_with(1), 0);
	assert_int_equal(fs.generation, 2);
	/* A forged second superblock can hide blobs, not more. */
	handmade_super(&h, NULL, 0);
	struct blobfs_blob blob;
	assert_int_equal(open_with(1), 0);
	assert_int_equal(
		blobfs_open_blob(&fs, h.entries[0].digest, &blob), BLOBFS_MISSING);
}

static int open_altered(
	struct blobfs_super *s, uint8_t *field, uint64_t value, unsigned size)
{
	uint8_t old[8];
	memcpy(old, field, size);
	for (unsigned i = 0; i < size; i++)
		field[i] = (uint8_t)(value >> 8 * i);
	handmade_seal((uint8_t *)s);
	int r = open_with(1);
	memcpy(field, old, size);
	handmade_seal((uint8_t *)s);
	return r;
}

static void unknown_and_senseless_superblocks_are_refused(void **state)
{
	(void)state;
	add_blobs();
	struct blobfs_super *s = handmade_finish(&h);
	assert_int_equal(open_altered(s, s->version, 2, 4), BLOBFS_UNSUPPORTED);
	assert_int_equal(open_altered(s, s->incompatible, 1, 8), BLOBFS_UNSUPPORTED);
	assert_int_equal(open_altered(s, &s->block_log2, 13, 1), BLOBFS_UNSUPPORTED);
	assert_int_equal(open_altered(s, &s->hash_algorithm, 2, 1), BLOBFS_UNSUPPORTED);
	assert_int_equal(open_altered(s, s->header_size, 271, 4), BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->header_size, 4065, 4), BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->n_runs, 9, 2), BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->generation, 0, 8), BLOBFS_MALFORMED);
	assert_int_equal(
		open_altered(s, s->device_size, HANDMADE_SIZE + 1, 8), BLOBFS_MALFORMED);
	assert_int_equal(
		open_altered(s, s->used_end, HANDMADE_SIZE + 1, 8), BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->runs[0].offset, 4097, 8), BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->runs[0].offset, (uint64_t)1 << 63, 8),
		BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->runs[0].pages, HANDMADE_SIZE / 4096, 8),
		BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->runs[0].pages, (uint64_t)1 << 52, 8),
		BLOBFS_MALFORMED);
	assert_int_equal(open_altered(s, s->free.pages, UINT64_MAX, 8), BLOBFS_MALFORMED);
	/* Later writers may add fields, and features that do not matter to readers. */
	assert_int_equal(open_altered(s, s->header_size, 400, 4), 0);
	assert_int_equal(open_altered(s, s->compatible, 1, 8), 0);
	assert_int_equal(open_altered(s, s->ro_compatible, 1, 8), 0);
	assert_int_equal(open_with(1), 0);
}

static void senseless_pages_are_refused(void **state)
{
	(void)state;
	struct blobfs_entry e;
	add_blobs();
	struct blobfs_super *s = handmade_finish(&h);
	uint8_t *page = h.image + get_le64(s->runs[0].offset);
	static const uint32_t counts[] = {0, 64, UINT32_MAX};
	for (unsigned i = 0; i < 3; i++) {
		put_le32(page + 8, counts[i]);
		handmade_seal(page);
		assert_int_equal(open_with(1), 0);
		assert_int_equal(
			blobfs_find(&fs, h.entries[0].digest, &e), BLOBFS_MALFORMED);
	}
	put_le32(page + 8, N_BLOBS);
	assert_int_equal(blobfs_find(&fs, h.entries[0].digest, &e), BLOBFS_DAMAGED);
	handmade_seal(page);
	assert_int_equal(blobfs_find(&fs, h.entries[0].digest, &e), 0);
	/* A free page is no index page. */
	memcpy(page, BLOBFS_FREE_MAGIC, 8);
	handmade_seal(page);
	assert_int_equal(blobfs_find(&fs, h.entries[0].digest, &e), BLOBFS_DAMAGED);
}

static void small_devices_are_no_images(void **state)
{
	(void)state;
	handmade_finish(&h);
	struct blobfs_platform p = handmade_platform(&h);
	static const uint64_t sizes[] = {
		0, 1, 4095, 4096, BLOBFS_SUPER_B, BLOBFS_MIN_END - 1};
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		p.size = sizes[i];
		assert_int_not_equal(blobfs_open(&fs, &p, slots, 1), 0);
	}
	p.size = HANDMADE_SIZE;
	assert_int_equal(blobfs_open(&fs, &p, slots, 1), 0);
}

#define FRESH(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_pinned),
		FRESH(superblocks_are_chosen_by_seal_and_generation),
		FRESH(unknown_and_senseless_superblocks_are_refused),
		FRESH(senseless_pages_are_refused),
		FRESH(small_devices_are_no_images),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
