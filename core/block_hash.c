/* SPDX-License-Identifier: MIT */
#include "core/block_hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

bool block_is_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 64) {
		uint64_t w[8];
		memcpy(w, data + i, sizeof w);
		if (w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7])
			return false;
	}
	return true;
}

static int hash_failed(const struct block_hash *h)
{
	return error_set(
		STATUS_FAILED, 0, "OpenSSL cannot compute %s", hash_name(h->alg));
}

/* One digest by OpenSSL, in the caller's scratch context. */
static bool one_digest(const struct block_hash *h, EVP_MD_CTX *ctx, const uint8_t *block,
	uint8_t *digest)
{
	return EVP_MD_CTX_copy_ex(ctx, h->start) &&
	       EVP_DigestUpdate(ctx, block, h->block_size) &&
	       EVP_DigestUpdate(ctx, h->suffix, h->suffix_size) &&
	       EVP_DigestFinal_ex(ctx, digest, NULL);
}

static int run_openssl_one(
	const struct block_hash *h, const uint8_t *block, uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && one_digest(h, ctx, block, digest);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : hash_failed(h);
}

/* One of many: zeros are not hashed. */
static bool next_digest(const struct block_hash *h, EVP_MD_CTX *ctx, const uint8_t *block,
	uint8_t *digest)
{
	if (!block_is_zero(block, h->block_size))
		return one_digest(h, ctx, block, digest);
	memcpy(digest, h->zero, h->digest_size);
	return true;
}

static int run_openssl(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return error_memory();
	bool good = true;
	for (size_t i = 0; good && i < n; i++)
		good = next_digest(
			h, ctx, blocks + i * h->block_size, digests + i * stride);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : hash_failed(h);
}

static int parts_openssl(
	const struct block_hash *h, const struct block_hash_part *parts, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return error_memory();
	bool good = true;
	for (size_t i = 0; good && i < n; i++)
		good = next_digest(h, ctx, parts[i].block, parts[i].digest);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : hash_failed(h);
}

/* Messages that go through an engine together; at most as many as it has lanes. */
struct group {
	size_t n;
	size_t used; /* bytes of each; all others are zeros */
	const uint8_t *blocks[SHA256_LANES_MAX];
	uint8_t *digests[SHA256_LANES_MAX];
};

/* What of the blocks fills 64-byte blocks of the message, from BODY on. */
static void compress_body(const struct block_hash *h, const struct sha256_engine *e,
	const struct group *g, uint32_t (*states)[8], const uint8_t *const *body)
{
	size_t from_block = h->rest_size ? 64 - h->rest_size : 0;
	size_t n = (h->block_size - from_block) / 64, n_used = n;
	if (e->compress_zeros && g->used < h->block_size)
		n_used = g->used > from_block ? (g->used - from_block + 63) / 64 : 0;
	if (n_used > n)
		n_used = n;
	e->compress(states, body, n_used);
	if (n_used < n)
		e->compress_zeros(states, n - n_used);
}

/*
 * The message is prefix, block, suffix and padding, and the block need not begin where a
 * 64-byte block of the message does: the first and the last of those are put together
 * aside, all others are taken where they are.
 */
static void compress_group(
	const struct block_hash *h, const struct sha256_engine *e, const struct group *g)
{
	uint32_t states[SHA256_LANES_MAX][8];
	uint8_t heads[SHA256_LANES_MAX][64], tails[SHA256_LANES_MAX][BLOCK_HASH_TAIL_MAX];
	const uint8_t *head[SHA256_LANES_MAX], *body[SHA256_LANES_MAX],
		*tail[SHA256_LANES_MAX];
	size_t rest = h->rest_size, from_block = rest ? 64 - rest : 0;
	for (size_t i = 0; i < e->lanes; i++) {
		const uint8_t *block = g->blocks[i < g->n ? i : 0];
		memcpy(states[i], h->midstate, sizeof states[i]);
		body[i] = block + from_block;
		head[i] = heads[i];
		tail[i] = h->tail;
		if (rest == 0)
			continue;
		memcpy(heads[i], h->rest, rest);
		memcpy(heads[i] + rest, block, from_block);
		memcpy(tails[i], h->tail, h->tail_blocks * 64);
		memcpy(tails[i], block + h->block_size - rest, rest);
		tail[i] = tails[i];
	}
	if (rest)
		e->compress(states, head, 1);
	compress_body(h, e, g, states, body);
	e->compress(states, tail, h->tail_blocks);
	for (size_t i = 0; i < g->n; i++)
		for (size_t k = 0; k < 8; k++)
			put_be32(g->digests[i] + 4 * k, states[i][k]);
}

/* Hashes what is in the group, and empties it. */
static void finish_group(const struct block_hash *h, struct group *g)
{
	const struct sha256_engine *e = h->engine;
	while (e->narrow && g->n <= e->narrow->lanes)
		e = e->narrow;
	if (g->n)
		compress_group(h, e, g);
	g->n = g->used = 0;
}

/* Takes a block in, and hashes all of the group when it is full. */
static inline void join_group(const struct block_hash *h, struct group *g,
	const uint8_t *block, size_t used, uint8_t *digest)
{
	if (block_is_zero(block, h->block_size)) {
		memcpy(digest, h->zero, h->digest_size);
		return;
	}
	if (used > g->used)
		g->used = used;
	g->blocks[g->n] = block;
	g->digests[g->n++] = digest;
	if (g->n == h->engine->lanes)
		finish_group(h, g);
}

static void run_engine(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride)
{
	struct group g = {0};
	for (size_t i = 0; i < n; i++)
		join_group(h, &g, blocks + i * h->block_size, h->block_size,
			digests + i * stride);
	finish_group(h, &g);
}

int block_hash_run(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride)
{
	if (!h->engine)
		return run_openssl(h, blocks, n, digests, stride);
	run_engine(h, blocks, n, digests, stride);
	return 0;
}

int block_hash_parts(
	const struct block_hash *h, const struct block_hash_part *parts, size_t n)
{
	struct group g = {0};
	if (!h->engine)
		return parts_openssl(h, parts, n);
	for (size_t i = 0; i < n; i++)
		join_group(h, &g, parts[i].block, parts[i].used, parts[i].digest);
	finish_group(h, &g);
	return 0;
}

/* Compresses what fills 64-byte blocks of PREFIX, on as many lanes as there are. */
static void start_engine(struct block_hash *h, struct span prefix, struct span suffix)
{
	uint32_t states[SHA256_LANES_MAX][8];
	const uint8_t *data[SHA256_LANES_MAX];
	for (size_t i = 0; i < SHA256_LANES_MAX; i++) {
		memcpy(states[i], sha256_start, sizeof states[i]);
		data[i] = prefix.data;
	}
	if (prefix.size >= 64)
		h->engine->compress(states, data, prefix.size / 64);
	memcpy(h->midstate, states[0], sizeof h->midstate);
	h->rest_size = prefix.size % 64;
	if (h->rest_size)
		memcpy(h->rest, prefix.data + prefix.size - h->rest_size, h->rest_size);
	/* FIPS 180-4, section 5.1.1: a one bit, zeros, the length in bits. */
	size_t used = h->rest_size + suffix.size;
	uint64_t bits = 8 * (uint64_t)(prefix.size + h->block_size + suffix.size);
	if (suffix.size)
		memcpy(h->tail + h->rest_size, suffix.data, suffix.size);
	h->tail[used] = 0x80;
	h->tail_blocks = (used + 9 + 63) / 64;
	put_be32(h->tail + h->tail_blocks * 64 - 8, (uint32_t)(bits >> 32));
	put_be32(h->tail + h->tail_blocks * 64 - 4, (uint32_t)bits);
}

static int start_openssl(struct block_hash *h, struct span prefix, struct span suffix)
{
	const EVP_MD *md = EVP_get_digestbyname(hash_name(h->alg));
	if (suffix.size)
		memcpy(h->suffix, suffix.data, suffix.size);
	if (!(h->start = EVP_MD_CTX_new()))
		return error_memory();
	if (!md || !EVP_DigestInit_ex(h->start, md, NULL) ||
		!EVP_DigestUpdate(h->start, prefix.data, prefix.size))
		return hash_failed(h);
	return 0;
}

/* As any other block is hashed: h->zero does not count yet. */
static int digest_zeros(struct block_hash *h)
{
	uint8_t *zeros = calloc(1, h->block_size);
	if (!zeros)
		return error_memory();
	int r = 0;
	if (h->engine)
		compress_group(h, h->engine,
			&(struct group){.n = 1,
				.used = h->block_size,
				.blocks = {zeros},
				.digests = {h->zero}});
	else
		r = run_openssl_one(h, zeros, h->zero);
	free(zeros);
	return r;
}

int block_hash_init(struct block_hash *h, enum hash_alg alg, size_t block_size,
	struct span prefix, struct span suffix)
{
	*h = (struct block_hash){.alg = alg,
		.block_size = block_size,
		.digest_size = hash_size(alg),
		.suffix_size = suffix.size};
	if (prefix.size > BLOCK_HASH_AFFIX_MAX || suffix.size > BLOCK_HASH_AFFIX_MAX)
		return error_format("a salt of more than %d bytes", BLOCK_HASH_AFFIX_MAX);
	int r = alg == HASH_SHA256 ? sha256_engine(&h->engine) : 0;
	if (r == 0 && h->engine)
		start_engine(h, prefix, suffix);
	else if (r == 0)
		r = start_openssl(h, prefix, suffix);
	if (r == 0)
		r = digest_zeros(h);
	if (r < 0)
		block_hash_free(h);
	return r;
}

void block_hash_free(struct block_hash *h)
{
	EVP_MD_CTX_free(h->start);
	h->start = NULL;
}
