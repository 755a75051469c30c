/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fsverity.h"
#include "core/hex.h"

/* Known answers of fsverity-utils and composefs; see tests/golden/README.md. */
static uint8_t f_bytes[1000000];

static int make_f(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof f_bytes; i++)
		f_bytes[i] = (uint8_t)(i % 11 + i % 439 + i % 1103);
	return 0;
}

static void assert_digest(struct span data, const char *salt, const char *wanted)
{
	struct fsverity_params p = FSVERITY_DEFAULTS;
	p.salt_size = strlen(salt);
	memcpy(p.salt, salt, p.salt_size);
	uint8_t digest[HASH_MAX_SIZE];
	char text[2 * HASH_MAX_SIZE + 1];
	assert_int_equal(fsverity_digest_span(&p, data, digest), 0);
	assert_string_equal(hex_encode(digest, 32, text), wanted);
	for (unsigned jobs = 1; jobs < 3; jobs++) {
		AUTO_FILE f = FILE_CLOSED;
		assert_int_equal(file_in_memory(&f, "f", data), 0);
		struct merkle_data whole = {&f, 0, data.size};
		assert_int_equal(fsverity_digest_file(&p, &whole, jobs, digest), 0);
		assert_string_equal(hex_encode(digest, 32, text), wanted);
	}
}

static void known_digests(void **state)
{
	(void)state;
	assert_digest(SPAN(f_bytes), "",
		"48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9");
	assert_digest(span_of(f_bytes, 4096), "",
		"6ac39979016e3ddf3d39fff6cb984f7c118acdf1852919f5c100c4b142c1818e");
	assert_digest(span_of(f_bytes, 0), "",
		"3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95");
	assert_digest(SPAN(f_bytes), "0123456789:;<=>?@ABCDEFGHIJKLMNO",
		"bc2d70324c048c220a2cb190832140863eb268e680427939e5d467bea5ec5ad9");
	assert_digest(span_of("hello world\n", 12), "",
		"37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92");
}

/* The tree in memory and the tree written to a file are the same. */
static void span_and_file_agree(void **state)
{
	(void)state;
	static const uint32_t block_sizes[] = {512, 1024, 4096, 65536};
	for (unsigned i = 0; i < 4; i++) {
		struct fsverity_params p = {HASH_SHA512, block_sizes[i], {1, 2, 3}, 3};
		uint64_t size;
		uint8_t root[64], root2[64];
		assert_int_equal(fsverity_tree_size(&p, sizeof f_bytes, &size), 0);
		uint8_t *tree = malloc(size), *tree2 = malloc(size);
		assert_int_equal(fsverity_build_span(&p, SPAN(f_bytes), tree, root), 0);
		AUTO_FILE data = FILE_CLOSED, file = FILE_CLOSED;
		assert_int_equal(file_in_memory(&data, "data", SPAN(f_bytes)), 0);
		assert_int_equal(file_in_memory(&file, "tree", span_of("", 0)), 0);
		struct merkle_data whole = {&data, 0, sizeof f_bytes};
		assert_int_equal(fsverity_build(&p, &whole, &file, 7, 2, root2), 0);
		assert_int_equal(file_read(&file, tree2, size, 7), 0);
		assert_memory_equal(root, root2, 64);
		assert_memory_equal(tree, tree2, size);
		free(tree);
		free(tree2);
	}
}

static void impossible_parameters(void **state)
{
	(void)state;
	struct fsverity_params p = FSVERITY_DEFAULTS;
	assert_int_equal(fsverity_check_params(&p), 0);
	p.alg = HASH_SHA1;
	assert_true(fsverity_check_params(&p) < 0);
	p = FSVERITY_DEFAULTS;
	p.block_size = 3000;
	assert_true(fsverity_check_params(&p) < 0);
	p = FSVERITY_DEFAULTS;
	p.salt_size = 33;
	assert_true(fsverity_check_params(&p) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_digests),
		cmocka_unit_test(span_and_file_agree),
		cmocka_unit_test(impossible_parameters),
	};
	return cmocka_run_group_tests(tests, make_f, NULL);
}
