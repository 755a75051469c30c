/* SPDX-License-Identifier: MIT */
/*
 * blobfs images each with one fault, and one without:
 *     bad-blobfs DIR           DIR/NAME.img, and on stdout "NAME DIGEST" of a blob to
 * read bad-blobfs --seeds DIR   the same as DIR/NAME, as tests/fuzz/blobfs_input.h has it
 * They are made by hand from docs/blobfs-format.md, and named after what is wrong.
 */
#include <stdio.h>

#include "core/hex.h"
#include "core/output.h"
#include "tests/unit/handmade_blobfs.h"

#define SIZE (BLOBFS_MIN_END + 15 * BLOBFS_BLOCK)

/* The image before its index is written: two blobs of two blocks and more, one small. */
static struct handmade h;
static struct blobfs_disk_entry *first;
static struct blobfs_run run;
static uint8_t *content;

static uint8_t *page(unsigned number)
{
	return h.image + run.offset + number * BLOBFS_BLOCK;
}

static struct blobfs_super *super(void)
{
	return handmade_super_at(&h, h.generation % 2 ? BLOBFS_SUPER_B : 0);
}

static void seal_super(void)
{
	handmade_seal((uint8_t *)super());
}

/* Two entries of the first page change places. */
static void swap_entries(uint8_t *a, uint8_t *b)
{
	uint8_t t[64];
	memcpy(t, a, sizeof t);
	memcpy(a, b, sizeof t);
	memcpy(b, t, sizeof t);
}

static uint8_t *entry_at(unsigned number)
{
	return page(0) + sizeof(struct blobfs_page) + number * 64;
}

/* ---- faults before the index is written -------------------------------------------- */

static void nothing(void)
{
}

static void overlapping_extents(void)
{
	/* What the index page begins with is a blob as well. */
	struct blobfs_disk_entry *e = &h.entries[h.n_entries - 1];
	uint8_t block[BLOBFS_BLOCK] = BLOBFS_INDEX_MAGIC, root[32];
	sha256(block, sizeof block, root);
	handmade_digest(BLOBFS_MAGIC_SIZE, root, e->digest);
	put_le64(e->size, BLOBFS_MAGIC_SIZE);
	put_le64(e->tail, h.end);
}

static void offset_2_63(void)
{
	put_le64(first->data, (uint64_t)1 << 63);
}

static void tree_at_2_63(void)
{
	put_le64(first->tree, (uint64_t)1 << 63);
}

static void tail_across_blocks(void)
{
	put_le64(first->tail, get_le64(first->tail) + BLOBFS_BLOCK - 1);
}

static void wrong_depth(void)
{
	/* A tree over three blocks is said to be no tree over one. */
	put_le64(first->size, BLOBFS_BLOCK);
}

static void wrong_size(void)
{
	put_le64(first->size, get_le64(first->size) - 1);
}

static void size_2_63(void)
{
	put_le64(first->size, (uint64_t)1 << 63);
}

static void swapped_digest(void)
{
	uint8_t t[32];
	memcpy(t, first->digest, 32);
	memcpy(first->digest, first[1].digest, 32);
	memcpy(first[1].digest, t, 32);
}

static void lent_tree(void)
{
	memcpy(first->tree, first[1].tree, 8);
}

static void lent_data(void)
{
	memcpy(first->data, first[1].data, 8);
}

static void damaged_tail(void)
{
	h.image[get_le64(first->tail)] ^= 1;
}

static void digest_collision(void)
{
	h.entries[h.n_entries++] = *first;
	put_le64(h.entries[h.n_entries - 1].data, get_le64(first[1].data));
}

/* ---- faults in the finished image -------------------------------------------------- */

static void unsorted_page(void)
{
	swap_entries(entry_at(0), entry_at(1));
	handmade_seal(page(0));
}

static void overlapping_pages(void)
{
	swap_entries(entry_at(0), entry_at(0) + BLOBFS_BLOCK);
	handmade_seal(page(0));
	handmade_seal(page(1));
}

static void count_overflow(void)
{
	put_le32(page(0) + BLOBFS_MAGIC_SIZE, 0x04000001); /* times 64 wraps to 64 */
	handmade_seal(page(0));
}

static void broken_seal(void)
{
	page(0)[BLOBFS_SEAL] ^= 1;
}

static void run_overflow(void)
{
	put_le64(super()->runs[0].pages, (uint64_t)1 << 52); /* times 4096 wraps to 0 */
	seal_super();
}

static void too_many_runs(void)
{
	put_le16(super()->n_runs, UINT16_MAX);
	seal_super();
}

static void stale_superblock(void)
{
	/* The other one, of a state whose index is gone, says that it is newer. */
	struct blobfs_run gone = {run.offset + run.pages * BLOBFS_BLOCK, 1};
	memset(h.image + gone.offset, 0xff, BLOBFS_BLOCK);
	h.end = gone.offset + BLOBFS_BLOCK;
	handmade_super(&h, &gone, 1);
}

static void later_version(void)
{
	put_le32(super()->version, BLOBFS_VERSION + 1);
	seal_super();
}

static void unknown_feature(void)
{
	put_le64(super()->incompatible, (uint64_t)1 << 40);
	seal_super();
}

static void other_block_size(void)
{
	super()->block_log2 = 16;
	seal_super();
}

static void short_header(void)
{
	put_le32(super()->header_size, 8);
	seal_super();
}

static void used_end_overflow(void)
{
	put_le64(super()->used_end, UINT64_MAX);
	seal_super();
}

static void missing_refs(void)
{
	memset(super()->refs, 0xab, sizeof super()->refs);
	seal_super();
}

static void free_in_use(void)
{
	uint8_t block[BLOBFS_BLOCK] = BLOBFS_FREE_MAGIC;
	uint8_t *record = block + sizeof(struct blobfs_page);
	put_le32(block + BLOBFS_MAGIC_SIZE, 1);
	memcpy(record, first->data, 8);
	put_le64(record + 8, 1);
	put_le64(record + 16, 1);
	handmade_seal(block);
	uint64_t at = handmade_put(&h, block, sizeof block);
	put_le64(super()->free.offset, at);
	put_le64(super()->free.pages, 1);
	put_le64(super()->free_entries, 1);
	put_le64(super()->used_end, h.end);
	seal_super();
}

static void device_shrank(void)
{
	/* The superblock speaks of one block more than there is. */
	put_le64(super()->device_size, SIZE + BLOBFS_BLOCK);
	seal_super();
}

static const struct {
	const char *name;
	void (*before)(void);
	void (*after)(void);
	unsigned per_page;
} faults[] = {
	{"untouched", nothing, nothing, 63},
	{"should-fail-overlapping-extents", overlapping_extents, nothing, 63},
	{"should-fail-offset-2-63", offset_2_63, nothing, 63},
	{"should-fail-tree-at-2-63", tree_at_2_63, nothing, 63},
	{"should-fail-size-2-63", size_2_63, nothing, 63},
	{"should-fail-tail-across-blocks", tail_across_blocks, nothing, 63},
	{"should-fail-wrong-depth", wrong_depth, nothing, 63},
	{"should-fail-wrong-size", wrong_size, nothing, 63},
	{"should-fail-swapped-digest", swapped_digest, nothing, 63},
	{"should-fail-lent-tree", lent_tree, nothing, 63},
	{"should-fail-lent-data", lent_data, nothing, 63},
	{"should-fail-damaged-tail", damaged_tail, nothing, 63},
	{"should-fail-digest-collision", digest_collision, nothing, 63},
	{"should-fail-unsorted-page", nothing, unsorted_page, 63},
	{"should-fail-overlapping-pages", nothing, overlapping_pages, 2},
	{"should-fail-count-overflow", nothing, count_overflow, 63},
	{"should-fail-broken-seal", nothing, broken_seal, 63},
	{"should-fail-run-overflow", nothing, run_overflow, 63},
	{"should-fail-too-many-runs", nothing, too_many_runs, 63},
	{"should-fail-stale-superblock", nothing, stale_superblock, 63},
	{"should-fail-later-version", nothing, later_version, 63},
	{"should-fail-unknown-feature", nothing, unknown_feature, 63},
	{"should-fail-other-block-size", nothing, other_block_size, 63},
	{"should-fail-short-header", nothing, short_header, 63},
	{"should-fail-used-end-overflow", nothing, used_end_overflow, 63},
	{"should-fail-missing-refs", nothing, missing_refs, 63},
	{"should-fail-free-in-use", nothing, free_in_use, 63},
	{"should-fail-device-shrank", nothing, device_shrank, 63},
};
#define N_FAULTS (sizeof faults / sizeof faults[0])

/* Makes image NUMBER; DIGEST gets the first blob's name. */
static void make(unsigned number, char digest[65])
{
	handmade_start(&h);
	h.device_size = SIZE;
	first = handmade_add(&h, content, 2 * BLOBFS_BLOCK + 1000);
	handmade_add(&h, content + 7, 2 * BLOBFS_BLOCK + 1000);
	handmade_add(&h, content, 12);
	hex_encode(first->digest, BLOBFS_DIGEST_SIZE, digest);
	faults[number].before();
	/* handmade_run sorts its entries, so FIRST stays only as a copy. */
	struct blobfs_disk_entry kept = *first;
	first = &kept;
	run = handmade_run(&h, h.entries, h.n_entries, faults[number].per_page);
	handmade_super(&h, &run, 1);
	handmade_super(&h, &run, 1);
	faults[number].after();
}

static int save(const char *dir, const char *name, bool seed)
{
	char path[4096];
	struct buffer out = {0};
	int r = 0;
	if (seed)
		r = buffer_append(&out, "", 1);
	if (r == 0)
		r = buffer_append(&out, h.image, seed ? BLOBFS_BLOCK : SIZE);
	if (r == 0 && seed)
		r = buffer_append(&out, h.image + BLOBFS_SUPER_B, SIZE - BLOBFS_SUPER_B);
	snprintf(path, sizeof path, "%s/%s%s", dir, name, seed ? "" : ".img");
	if (r == 0)
		r = output_save(path, 0644, true, buffer_span(&out));
	buffer_free(&out);
	return r;
}

int main(int argc, char **argv)
{
	bool seeds = argc == 3 && !strcmp(argv[1], "--seeds");
	int r = seeds || argc == 2 ? 0 : error_usage("bad-blobfs [--seeds] DIR");
	content = handmade_content(3 * BLOBFS_BLOCK);
	for (unsigned i = 0; i < N_FAULTS && r == 0; i++) {
		char digest[65];
		make(i, digest);
		r = save(argv[argc - 1], faults[i].name, seeds);
		if (!seeds)
			printf("%s sha256:%s\n", faults[i].name, digest);
		handmade_stop(&h);
	}
	free(content);
	if (r < 0)
		fprintf(stderr, "bad-blobfs: %s\n", error_text());
	return r < 0 ? (int)error_status() : 0;
}
