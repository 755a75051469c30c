/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fec.h"
#include "core/gf256.h"
#include "core/hex.h"
#include "core/rs_decode.h"

/* The golden case of tests/golden/README.md: f(i) over 512 blocks. */
/* The parity is good; then a byte in its second block is not. */
static void check_comparison(const struct fec *fec, const struct file *parity)
{
	struct ranges bad = {0}, unreadable = {0};
	uint64_t at = fec->block_size * fec->roots + 17;
	uint8_t byte;
	assert_int_equal(fec_compare(fec, parity, 0, 2, &bad, &unreadable), 0);
	assert_int_equal(file_read(parity, &byte, 1, at), 0);
	byte ^= 1;
	assert_int_equal(file_write(parity, &byte, 1, at), 0);
	assert_int_equal(fec_compare(fec, parity, 0, 2, &bad, &unreadable), 1);
	assert_int_equal(bad.blocks, 1);
	assert_int_equal(bad.items[0].first, 1);
	assert_int_equal(unreadable.blocks, 0);
	ranges_free(&bad);
}

static void known_parity(void **state)
{
	(void)state;
	struct verity_params p = VERITY_DEFAULTS;
	p.data_blocks = 512;
	p.salt_size = 32;
	assert_int_equal(hex_decode("e48da609055204e89ae53b655ca2216d"
				    "d983cf3cb829f34f63a297d106d53e2d",
				 p.salt, 32),
		0);
	size_t size = 512 * 4096;
	uint8_t *f = malloc(size), digest[32], root[32];
	char text[65];
	for (size_t i = 0; i < size; i++)
		f[i] = (uint8_t)(i % 11 + i % 439 + i % 1103);
	AUTO_FILE data = FILE_CLOSED, hash = FILE_CLOSED;
	assert_int_equal(file_in_memory(&data, "data", span_of(f, size)), 0);
	assert_int_equal(file_in_memory(&hash, "hash", span_of("", 0)), 0);
	assert_int_equal(verity_build(&p, &data, 0, &hash, 4096, 2, root), 0);
	assert_string_equal(hex_encode(root, 32, text),
		"5e3f6ef6aadb372e8a24c5a667be285697046233c6333049c085a740723e6cde");
	static const struct {
		unsigned roots;
		uint64_t size;
		const char *sha256;
	} cases[] = {
		{2, 24576,
			"20d33f9aa4cc8cc1e8de8a611547eec0ca1dcb11084641d1ba604f154740a21"
			"7"},
		{24, 294912,
			"ae086a7e4b3f2c098b3f97f66e5e6a88fbedd4e83f1adff00856dbd99469556"
			"e"},
	};
	for (unsigned i = 0; i < 2; i++) {
		AUTO_FILE parity = FILE_CLOSED;
		assert_int_equal(file_in_memory(&parity, "parity", span_of("", 0)), 0);
		struct fec fec = {.roots = cases[i].roots, .block_size = 4096};
		fec_add(&fec, &data, 0, size);
		fec_add(&fec, &hash, 4096, 5 * 4096);
		assert_int_equal(fec_parity_size(&fec), cases[i].size);
		assert_int_equal(fec_encode(&fec, &parity, 0, 2), 0);
		assert_int_equal(
			hash_file(HASH_SHA256, &parity, 0, cases[i].size, digest), 0);
		assert_string_equal(hex_encode(digest, 32, text), cases[i].sha256);
		check_comparison(&fec, &parity);
	}
	free(f);
}

static void vectors_multiply_as_the_field_does(void **state)
{
	(void)state;
	uint8_t from[300], a[300], b[300];
	for (unsigned c = 0; c < 256; c++)
		for (size_t n = 200; n < 300; n += 7) {
			for (size_t i = 0; i < 300; i++) {
				from[i] = (uint8_t)(i * c + i);
				a[i] = b[i] = (uint8_t)(i * 3);
			}
			gf_mul_add((uint8_t)c, from + n % 5, a, n - 5);
			gf_mul_add_plain((uint8_t)c, from + n % 5, b, n - 5);
			assert_memory_equal(a, b, 300);
		}
	for (unsigned c = 1; c < 256; c++)
		assert_int_equal(gf_mul((uint8_t)c, gf_inverse((uint8_t)c)), 1);
}

/* Codewords of all numbers of roots with all they can bear, by a plain encoder. */
static void decoder_finds_errors_and_erasures(void **state)
{
	(void)state;
	uint64_t x = 5;
	for (unsigned turn = 0; turn < 3000; turn++) {
		unsigned roots = 2 + turn % 23, n = turn / 23 % (roots + 1);
		unsigned errors = (roots - n) / 2;
		uint8_t wrong[255] = {0}, locators[24], wanted[24], values[24],
			s[24] = {0};
		/* The zero codeword is one as well as any: the code is linear. */
		for (unsigned k = 0; k < n + errors;) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			unsigned at = (unsigned)(x >> 33) % 255;
			if (wrong[at])
				continue;
			wrong[at] = (uint8_t)(1 + (x >> 57));
			if (k < n) {
				locators[k] = gf_power(254 - at);
				wanted[k] = wrong[at];
			}
			k++;
		}
		/* What was erased is the difference to a codeword: with it all sums
		 * vanish. */
		for (unsigned i = 0; i < roots; i++)
			for (unsigned j = 0; j < 255; j++)
				s[i] ^= gf_mul(wrong[j], gf_power(i * (254 - j)));
		assert_int_equal(rs_decode(roots, s, n, locators, values), 0);
		assert_memory_equal(values, wanted, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_multiply_as_the_field_does),
		cmocka_unit_test(known_parity),
		cmocka_unit_test(decoder_finds_errors_and_erasures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
