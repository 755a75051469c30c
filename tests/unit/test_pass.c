/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/merkle.h"
#include "verifier/examine/pass.h"

static void fill(struct file *f, size_t size)
{
	BUFFER b = {0};
	assert_int_equal(buffer_append_zeros(&b, size), 0);
	for (size_t i = 0; i < size; i++)
		b.data[i] = (uint8_t)((i % 11 + i % 439 + i % 1103) & 0xff);
	assert_int_equal(file_in_memory(f, "evidence", buffer_span(&b)), 0);
}

/* Digests, tree and copy are those that others make of the same bytes. */
static void check_size(
	size_t size, uint32_t block_size, uint64_t copy_offset, size_t copied)
{
	AUTO_FILE f = FILE_CLOSED;
	struct memory leaves, copy;
	struct file_digests d = {0};
	uint8_t sha256[HASH_MAX_SIZE], root[HASH_MAX_SIZE], *bytes = malloc(copied + 1);
	struct pass p = {.file = &f,
		.digests = &d,
		.interop = true,
		.piece_size = 1 << 20,
		.block_size = block_size,
		.leaves = &leaves,
		.copy = &copy,
		.copy_offset = copy_offset};
	const struct merkle_params params = {.kind = MERKLE_VERITY_1,
		.alg = HASH_SHA256,
		.data_block_size = block_size,
		.tree_block_size = 4096,
		.data_blocks = pass_blocks(size, block_size)};
	const struct merkle_data data = {.file = &f, .size = size};
	fill(&f, size);
	assert_int_equal(
		memory_make(&leaves, "leaves", params.data_blocks * PASS_DIGEST), 0);
	assert_int_equal(memory_make(&copy, "copy", copied), 0);
	assert_int_equal(pass_run(&p), 0);
	assert_true(d.done);
	assert_int_equal(hash_file(HASH_SHA256, &f, 0, size, sha256), 0);
	assert_memory_equal(d.sha256, sha256, 32);
	assert_int_equal(d.n_pieces, (size + (1 << 20) - 1) >> 20);
	assert_int_equal(merkle_build(&params, &data, NULL, 0, 1, root), 0);
	assert_memory_equal(d.merkle_root, root, 32);
	assert_int_equal(file_read(&f, bytes, copied, copy_offset), 0);
	assert_memory_equal(copy.data, bytes, copied);
	free(d.pieces);
	free(bytes);
	memory_free(&leaves);
	memory_free(&copy);
}

static void passes_of_all_sizes(void **unused)
{
	(void)unused;
	check_size(1, 4096, 0, 1);
	check_size(4096, 4096, 0, 4096);
	check_size(4097, 4096, 1, 4095);
	check_size(3 << 20, 4096, 12345, 1 << 20);
	check_size((8 << 20) + 1, 4096, (8 << 20) - 1, 2);
	check_size((17 << 20) + 777, 65536, 512, (16 << 20) + 99);
}

/* Each changed block is named, those alone, and unknown ones are left out. */
static void changed_blocks_are_named(void **unused)
{
	const size_t size = (9 << 20) + 5;
	AUTO_FILE f = FILE_CLOSED;
	struct memory leaves;
	struct file_digests d = {0};
	struct pass p = {
		.file = &f, .digests = &d, .block_size = 4096, .leaves = &leaves};
	(void)unused;
	fill(&f, size);
	assert_int_equal(
		memory_make(&leaves, "leaves", pass_blocks(size, 4096) * PASS_DIGEST), 0);
	assert_int_equal(pass_run(&p), 0);
	p.compare = true;
	d = (struct file_digests){0};
	assert_int_equal(pass_run(&p), 0);
	assert_int_equal(p.changed.blocks, 0);
	const uint64_t places[] = {0, 7 * 4096 + 4095, 8 << 20, size - 1};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(file_write(&f, "\xff", 1, places[i]), 0);
	/* Nobody knows what block 7 was. */
	memset(leaves.data + 7 * PASS_DIGEST, 0, PASS_DIGEST);
	d = (struct file_digests){0};
	assert_int_equal(pass_run(&p), 0);
	ranges_sort(&p.changed);
	assert_int_equal(p.changed.blocks, 3);
	assert_true(ranges_have(&p.changed, 0));
	assert_true(ranges_have(&p.changed, 2048));
	assert_true(ranges_have(&p.changed, (size - 1) / 4096));
	ranges_free(&p.changed);
	memory_free(&leaves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_of_all_sizes),
		cmocka_unit_test(changed_blocks_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
