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

static int run_openssl(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return error_memory();
	bool good = true;
	for (size_t i = 0; good && i < n; i++) {
		const uint8_t *block = blocks + i * h->block_size;
		uint8_t *digest = digests + i * stride;
		if (block_is_zero(block, h->block_size))
			memcpy(digest, h->zero, h->digest_size);
		else
			good = one_digest(h, ctx, block, digest);
	}
	EVP_MD_CTX_free(ctx);
	return good ? 0 : hash_failed(h);
}

int block_hash_run(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride)
{
	return run_openssl(h, blocks, n, digests, stride);
}

static int digest_zeros(struct block_hash *h)
{
	uint8_t *zeros = calloc(1, h->block_size);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = zeros && ctx ? 0 : error_memory();
	if (r == 0 && !one_digest(h, ctx, zeros, h->zero))
		r = hash_failed(h);
	EVP_MD_CTX_free(ctx);
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
	if (suffix.size)
		memcpy(h->suffix, suffix.data, suffix.size);
	const EVP_MD *md = EVP_get_digestbyname(hash_name(alg));
	if (!(h->start = EVP_MD_CTX_new()))
		return error_memory();
	int r = 0;
	if (!md || !EVP_DigestInit_ex(h->start, md, NULL) ||
		!EVP_DigestUpdate(h->start, prefix.data, prefix.size))
		r = hash_failed(h);
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
