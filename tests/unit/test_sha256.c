/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "core/block_hash.h"

static uint64_t random_state = 11;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static uint8_t *noise(size_t size)
{
	uint8_t *bytes = malloc(size);
	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_below(256);
	return bytes;
}

static size_t turns(size_t usual)
{
	return getenv("CAIRN_LONG") ? 50 * usual : usual;
}

static void by_openssl(
	enum hash_alg alg, const struct span *parts, size_t n, uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_true(EVP_DigestInit(ctx, EVP_get_digestbyname(hash_name(alg))));
	for (size_t i = 0; i < n; i++)
		assert_true(EVP_DigestUpdate(ctx, parts[i].data, parts[i].size));
	assert_true(EVP_DigestFinal(ctx, digest, NULL));
	EVP_MD_CTX_free(ctx);
}

/* Short messages in parts, by one engine. */
static void check_parts(const struct sha256_engine *e)
{
	uint8_t *bytes = noise(600), digest[32], wanted[32];
	for (size_t turn = 0; turn < turns(300); turn++) {
		struct span parts[3];
		for (size_t i = 0; i < 3; i++)
			parts[i] = span_of(bytes + random_below(300), random_below(300));
		size_t n = random_below(4);
		sha256_parts(e, parts, n, digest);
		by_openssl(HASH_SHA256, parts, n, wanted);
		assert_memory_equal(digest, wanted, 32);
	}
	free(bytes);
}

/* Whole messages of random length at random alignment, each lane against OpenSSL. */
static void check_engine(const struct sha256_engine *e)
{
	for (size_t turn = 0; turn < turns(200); turn++) {
		size_t n = 1 + random_below(70);
		uint8_t *bytes[SHA256_LANES_MAX];
		const uint8_t *data[SHA256_LANES_MAX];
		uint32_t states[SHA256_LANES_MAX][8];
		for (unsigned i = 0; i < e->lanes; i++) {
			bytes[i] = noise(64 * n + 64);
			data[i] = bytes[i] + random_below(64);
			memcpy(states[i], sha256_start, sizeof states[i]);
		}
		size_t first = random_below((uint32_t)n);
		e->compress(states, data, first);
		for (unsigned i = 0; i < e->lanes; i++)
			data[i] += 64 * first;
		e->compress(states, data, n - first);
		for (unsigned i = 0; i < e->lanes; i++) {
			/* OpenSSL shows its state through the digest of the padded rest.
			 */
			uint8_t *whole = malloc(64 * n), digest[32], end[64] = {0x80};
			memcpy(whole, data[i] - 64 * first, 64 * n);
			put_be32(end + 60, (uint32_t)(512 * n));
			put_be32(end + 56, (uint32_t)(512 * (uint64_t)n >> 32));
			SHA256(whole, 64 * n, digest);
			const uint8_t *last[SHA256_LANES_MAX];
			uint32_t copy[SHA256_LANES_MAX][8];
			memcpy(copy, states, sizeof copy);
			for (unsigned k = 0; k < e->lanes; k++)
				last[k] = end;
			e->compress(copy, last, 1);
			for (unsigned k = 0; k < 8; k++)
				assert_int_equal(copy[i][k], get_be32(digest + 4 * k));
			free(whole);
			free(bytes[i]);
		}
	}
}

/* Blocks of zeros behind any others, if the engine has a way of its own for them. */
static void check_zeros(const struct sha256_engine *e)
{
	static const uint8_t zeros[64 * 70];
	for (size_t turn = 0; turn < turns(20) && e->compress_zeros; turn++) {
		size_t n = random_below(70);
		uint8_t *bytes = noise(SHA256_LANES_MAX * 64);
		const uint8_t *data[SHA256_LANES_MAX], *none[SHA256_LANES_MAX];
		uint32_t states[SHA256_LANES_MAX][8], wanted[SHA256_LANES_MAX][8];
		for (unsigned i = 0; i < e->lanes; i++) {
			memcpy(states[i], sha256_start, sizeof states[i]);
			data[i] = bytes + 64 * i;
			none[i] = zeros;
		}
		e->compress(states, data, 1);
		memcpy(wanted, states, sizeof wanted);
		e->compress(wanted, none, n);
		e->compress_zeros(states, n);
		assert_memory_equal(states, wanted, e->lanes * sizeof states[0]);
		free(bytes);
	}
}

static void engine_agrees_with_openssl(void **state)
{
	const struct sha256_engine *e = *state;
	if (!e->usable()) {
		print_message("%s: this processor cannot run it\n", e->name);
		skip();
	}
	check_engine(e);
	check_zeros(e);
	check_parts(e);
}

/* H(prefix || block || suffix), by whatever runs here, against OpenSSL. */
static void check_block_hash(enum hash_alg alg, size_t block_size)
{
	uint8_t *prefix = noise(256), *suffix = noise(256);
	struct span before = span_of(prefix, random_below(3) ? random_below(257) : 0);
	struct span after = span_of(suffix, random_below(2) ? random_below(257) : 0);
	size_t n = 1 + random_below(20), shift = random_below(16);
	uint8_t *bytes = noise(n * block_size + 16), *blocks = bytes + shift;
	memset(blocks + random_below((uint32_t)n) * block_size, 0, block_size);
	uint8_t digests[20 * 80], wanted[HASH_MAX_SIZE];
	AUTO_BLOCK_HASH h;
	assert_int_equal(block_hash_init(&h, alg, block_size, before, after), 0);
	memset(digests, 0xee, sizeof digests);
	assert_int_equal(block_hash_run(&h, blocks, n, digests, 80), 0);
	for (size_t i = 0; i < n; i++) {
		struct span parts[] = {
			before, span_of(blocks + i * block_size, block_size), after};
		by_openssl(alg, parts, 3, wanted);
		assert_memory_equal(digests + 80 * i, wanted, hash_size(alg));
		assert_int_equal(digests[80 * i + hash_size(alg)], 0xee);
	}
	free(prefix);
	free(suffix);
	free(bytes);
}

/* Blocks anywhere, of which a part is used: the same digests. */
static void check_block_parts(size_t block_size)
{
	uint8_t *prefix = noise(256), digests[20 * 32], wanted[32];
	struct span before = span_of(prefix, random_below(2) ? random_below(257) : 0);
	size_t n = 1 + random_below(20);
	uint8_t *bytes = noise(n * (block_size + 64));
	struct block_hash_part parts[20];
	AUTO_BLOCK_HASH h;
	assert_int_equal(
		block_hash_init(&h, HASH_SHA256, block_size, before, span_of(prefix, 0)),
		0);
	for (size_t i = 0; i < n; i++) {
		uint8_t *block = bytes + i * (block_size + 64) + random_below(64);
		size_t used = random_below((uint32_t)block_size + 1);
		memset(block + used, 0, block_size - used);
		parts[i] = (struct block_hash_part){block, used, digests + 32 * i};
	}
	assert_int_equal(block_hash_parts(&h, parts, n), 0);
	for (size_t i = 0; i < n; i++) {
		struct span message[] = {before, span_of(parts[i].block, block_size)};
		by_openssl(HASH_SHA256, message, 2, wanted);
		assert_memory_equal(parts[i].digest, wanted, 32);
	}
	free(prefix);
	free(bytes);
}

static void parts_that_end_in_zeros(void **state)
{
	(void)state;
	for (size_t i = 0; i < turns(300); i++)
		check_block_parts((size_t)64 << random_below(7));
}

static void affixes_and_alignments(void **state)
{
	(void)state;
	for (size_t i = 0; i < turns(300); i++)
		check_block_hash(HASH_SHA256, (size_t)512 << random_below(5));
	for (size_t i = 0; i < turns(20); i++) {
		check_block_hash(HASH_SHA1, 512);
		check_block_hash(HASH_SHA512, 1024);
	}
}

int main(void)
{
	struct CMUnitTest tests[8] = {cmocka_unit_test(affixes_and_alignments),
		cmocka_unit_test(parts_that_end_in_zeros)};
	size_t n = 2;
	for (size_t i = 0; sha256_engines[i]; i++)
		tests[n++] = (struct CMUnitTest){.name = sha256_engines[i]->name,
			.test_func = engine_agrees_with_openssl,
			.initial_state = (void *)sha256_engines[i]};
	return _cmocka_run_group_tests("sha256", tests, n, NULL, NULL);
}
