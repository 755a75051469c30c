/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/hex.h"
#include "core/verity.h"

/* Known answers of other implementations; where from is told in tests/golden/README.md.
 */
#define S "e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d"

static void memory_file(struct file *f, uint64_t size)
{
	assert_int_equal(file_in_memory(f, "test", span_of("", 0)), 0);
	assert_int_equal(ftruncate(f->fd, (off_t)size), 0);
	f->size = size;
}

static void set_salt(struct verity_params *p, const char *hex)
{
	p->salt_size = strlen(hex) / 2;
	assert_int_equal(hex_decode(hex, p->salt, p->salt_size), 0);
}

/* A root in a string that the next call overwrites. */
static const char *root_of(
	const struct verity_params *p, const struct file *data, unsigned jobs)
{
	static char text[2 * HASH_MAX_SIZE + 1];
	uint8_t root[HASH_MAX_SIZE];
	struct file tree;
	memory_file(&tree, 0);
	assert_int_equal(verity_build(p, data, 0, &tree, 4096, jobs, root), 0);
	AUTO_MERKLE_DAMAGE damage = {0};
	assert_int_equal(verity_check(p, data, 0, &tree, 4096, root, jobs, &damage), 0);
	file_close(&tree);
	return hex_encode(root, hash_size(p->alg), text);
}

static void known_roots_of_zeros(void **state)
{
	(void)state;
	static const struct {
		uint64_t blocks;
		uint32_t block_size;
		enum hash_alg alg;
		const char *salt, *root;
	} cases[] = {
		{2048, 4096, HASH_SHA256, S,
			"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5"
			"c"},
		{2048, 4096, HASH_SHA256, "",
			"ef29c902d87350f1da4bfa536e16cebc162a909bf89abe448b81ec500d4fb9b"
			"f"},
		{8192, 1024, HASH_SHA1, S, "d0e9163ca8844aaa2e88fe5265a8c5d9ee494a99"},
		{1250, 4096, HASH_SHA256,
			"20c28ffc129c12360ba6ceea2b6cf04e89c2b41cfe6b8439eb53c1897f50df7"
			"b",
			"ab018b003a967fc782effb293b6dccb60b4f40c06bf80d16391acf686d28b5d"
			"6"},
		{2, 4096, HASH_SHA256, S,
			"c2c209afeb9d2ffff709604feab2ac64f87daa53b18faef41788f957510370a"
			"4"},
		{127, 4096, HASH_SHA256, S,
			"d12b5adaa80d42ee8075c27cb838c67c4d3da9b2847ef9718a969c3973ac96f"
			"3"},
		{16384, 4096, HASH_SHA256, S,
			"a23a9ae3904eed101f81abe5b04c2f81dee840f3a7ff36299f62b17c7a088ba"
			"0"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct verity_params p = VERITY_DEFAULTS;
		p.alg = cases[i].alg;
		p.data_block_size = p.hash_block_size = cases[i].block_size;
		p.data_blocks = cases[i].blocks;
		set_salt(&p, cases[i].salt);
		struct file f;
		memory_file(&f, p.data_blocks * p.data_block_size);
		for (unsigned jobs = 1; jobs <= 3; jobs++)
			assert_string_equal(root_of(&p, &f, jobs), cases[i].root);
		file_close(&f);
	}
}

static void known_root_of_numbered_blocks(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS;
	p.data_blocks = 129;
	set_salt(&p, "799ea94008bbdc6555d7895d1b647e2abfd213171f0e8b670e1da951406f4691");
	struct file f;
	memory_file(&f, 0);
	uint8_t block[4096];
	for (uint32_t i = 0; i < 129; i++) {
		for (size_t k = 0; k < sizeof block; k += 4)
			put_be32(block + k, i);
		assert_int_equal(file_write(&f, block, sizeof block, i * 4096ULL), 0);
	}
	f.size = 129 * 4096;
	assert_string_equal(root_of(&p, &f, 2),
		"3049cbffaa49c6dc12e9cd1dd4604ef5a290e3d13b379c5a50d356e68423de23");
	file_close(&f);
}

static void put_noise(struct file *f, uint64_t size, unsigned seed)
{
	memory_file(f, size);
	uint8_t *bytes = malloc(size);
	uint64_t x = seed * 2654435761u + 1;
	for (uint64_t i = 0; i < size; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(x >> 56);
	}
	assert_int_equal(file_write(f, bytes, size, 0), 0);
	free(bytes);
}

static void flip(const struct file *f, uint64_t offset)
{
	uint8_t byte;
	assert_int_equal(file_read(f, &byte, 1, offset), 0);
	byte ^= 0x10;
	assert_int_equal(file_write(f, &byte, 1, offset), 0);
}

static void assert_range(const struct ranges *r, size_t i, uint64_t first, uint64_t count)
{
	assert_true(i < r->n_items);
	assert_int_equal(r->items[i].first, first);
	assert_int_equal(r->items[i].count, count);
}

/* 600 blocks of 512 with 16 digests a block: 38 + 3 + 1 tree blocks, the top is block 0.
 */
static void all_damage_is_found(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS;
	p.data_block_size = p.hash_block_size = 512;
	p.data_blocks = 600;
	struct file data, tree;
	put_noise(&data, 600 * 512, 1);
	memory_file(&tree, 0);
	uint8_t root[32];
	assert_int_equal(verity_build(&p, &data, 0, &tree, 0, 2, root), 0);
	flip(&data, 5 * 512);
	flip(&data, 6 * 512 + 511);
	flip(&data, 599 * 512);
	flip(&data, 100 * 512);     /* below tree block 4 + 6: cannot be told */
	flip(&tree, (4 + 6) * 512); /* level 0, covers data blocks 96 to 111 */
	flip(&tree, 2 * 512 + 3);   /* level 1, covers data blocks 256 to 511 */
	for (unsigned jobs = 1; jobs <= 2; jobs++) {
		AUTO_MERKLE_DAMAGE d = {0};
		assert_int_equal(verity_check(&p, &data, 0, &tree, 0, root, jobs, &d), 1);
		assert_int_equal(d.bad_data.n_items, 2);
		assert_range(&d.bad_data, 0, 5, 2);
		assert_range(&d.bad_data, 1, 599, 1);
		assert_int_equal(d.bad_tree.n_items, 2);
		assert_range(&d.bad_tree, 0, 2, 1);
		assert_range(&d.bad_tree, 1, 10, 1);
		assert_int_equal(d.unknown_data.n_items, 2);
		assert_range(&d.unknown_data, 0, 96, 16);
		assert_range(&d.unknown_data, 1, 256, 256);
		assert_int_equal(d.unknown_tree.n_items, 1);
		assert_range(&d.unknown_tree, 0, 20, 16);
	}
	file_close(&data);
	file_close(&tree);
}

static void wrong_root_makes_all_unknown(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS;
	p.data_blocks = 700;
	struct file data, tree;
	put_noise(&data, 700 * 4096, 2);
	memory_file(&tree, 0);
	uint8_t root[32];
	assert_int_equal(verity_build(&p, &data, 0, &tree, 0, 2, root), 0);
	root[31] ^= 1;
	AUTO_MERKLE_DAMAGE d = {0};
	assert_int_equal(verity_check(&p, &data, 0, &tree, 0, root, 2, &d), 1);
	assert_range(&d.bad_tree, 0, 0, 1);
	assert_range(&d.unknown_data, 0, 0, 700);
	assert_range(&d.unknown_tree, 0, 1, 6);
	assert_int_equal(d.bad_data.n_items, 0);
	file_close(&data);
	file_close(&tree);
}

static void superblock_comes_back(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS, q;
	p.data_blocks = 77;
	p.uuid[3] = 9;
	set_salt(&p, S);
	uint8_t sb[VERITY_SUPERBLOCK_SIZE];
	verity_superblock_write(&p, sb);
	assert_int_equal(verity_superblock_parse(SPAN(sb), "x", 0, &q), 0);
	assert_memory_equal(&p, &q, sizeof p);
}

static void hostile_superblocks(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS, q;
	p.data_blocks = 77;
	uint8_t good[VERITY_SUPERBLOCK_SIZE];
	verity_superblock_write(&p, good);
	static const struct {
		size_t offset, size;
		uint64_t value;
		const char *says;
	} cases[] = {
		{0, 1, 0, "no verity superblock"},
		{8, 4, 2, "superblock version 2"},
		{12, 4, 2, "hash type 2"},
		{32, 4, 0x68616c62, "unknown hash algorithm"},
		{63, 1, 'x', "does not end"},
		{64, 4, 0, "data block size 0"},
		{64, 4, 333, "data block size 333"},
		{64, 4, 256, "data block size 256"},
		{64, 4, 131072, "data block size 131072"},
		{68, 4, 0, "hash block size 0"},
		{68, 4, 0x80000000, "hash block size 2147483648"},
		{72, 8, 0, "no data blocks"},
		{72, 8, 1ULL << 60, "too many"},
		{72, 8, UINT64_MAX, "too many"},
		{80, 2, 257, "salt of 257 bytes"},
		{80, 2, 65535, "salt of 65535 bytes"},
	};
	assert_int_equal(verity_superblock_parse(SPAN(good), "x", 0, &q), 0);
	assert_true(verity_superblock_parse(span_of(good, 511), "x", 0, &q) < 0);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t sb[VERITY_SUPERBLOCK_SIZE], value[8];
		memcpy(sb, good, sizeof sb);
		put_le64(value, cases[i].value);
		memcpy(sb + cases[i].offset, value, cases[i].size);
		assert_true(verity_superblock_parse(SPAN(sb), "x", 4096, &q) < 0);
		assert_int_equal(error_status(), STATUS_FORMAT);
		assert_non_null(strstr(error_text(), cases[i].says));
		assert_non_null(strstr(error_text(), "x: at offset 4096: "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_roots_of_zeros),
		cmocka_unit_test(known_root_of_numbered_blocks),
		cmocka_unit_test(all_damage_is_found),
		cmocka_unit_test(wrong_root_makes_all_unknown),
		cmocka_unit_test(superblock_comes_back),
		cmocka_unit_test(hostile_superblocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
