/* SPDX-License-Identifier: MIT */
#include "core/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/sha256.h"

#define PIECE ((size_t)1 << 18)

/* Up to this size setting OpenSSL up would take longer than the hashing. */
#define SHORT ((size_t)4096)

static const struct {
	const char *name;
	size_t size, block_size;
	const EVP_MD *(*evp)(void);
} algorithms[] = {
	[HASH_SHA1] = {"sha1", 20, 64, EVP_sha1},
	[HASH_SHA256] = {"sha256", 32, 64, EVP_sha256},
	[HASH_SHA512] = {"sha512", 64, 128, EVP_sha512},
};

const char *hash_name(enum hash_alg alg)
{
	return algorithms[alg].name;
}

size_t hash_size(enum hash_alg alg)
{
	return algorithms[alg].size;
}

size_t hash_block_size(enum hash_alg alg)
{
	return algorithms[alg].block_size;
}

int hash_by_name(const char *name, enum hash_alg *alg)
{
	for (unsigned i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		if (!strcmp(name, algorithms[i].name)) {
			*alg = (enum hash_alg)i;
			return 0;
		}
	return error_format(
		"%s: unknown hash algorithm (known: sha1, sha256, sha512)", name);
}

static int crypto_error(enum hash_alg alg)
{
	return error_set(STATUS_FAILED, EIO, "OpenSSL cannot compute %s", hash_name(alg));
}

static int parts_by_openssl(
	enum hash_alg alg, const struct span *parts, size_t n_parts, uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = ctx && EVP_DigestInit_ex(ctx, algorithms[alg].evp(), NULL);
	for (size_t i = 0; good && i < n_parts; i++)
		good = EVP_DigestUpdate(ctx, parts[i].data, parts[i].size);
	good = good && EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : crypto_error(alg);
}

int hash_parts(
	enum hash_alg alg, const struct span *parts, size_t n_parts, uint8_t *digest)
{
	const struct sha256_engine *engine = NULL;
	size_t total = 0;
	for (size_t i = 0; i < n_parts; i++)
		total += parts[i].size;
	int r = alg == HASH_SHA256 && total <= SHORT ? sha256_engine(&engine) : 0;
	if (r < 0)
		return r;
	if (!engine)
		return parts_by_openssl(alg, parts, n_parts, digest);
	sha256_parts(engine, parts, n_parts, digest);
	return 0;
}

int hash_file(enum hash_alg alg, const struct file *f, uint64_t offset, uint64_t size,
	uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *piece = malloc(PIECE);
	int r = ctx && piece ? 0 : error_memory();
	if (r == 0 && !EVP_DigestInit_ex(ctx, algorithms[alg].evp(), NULL))
		r = crypto_error(alg);
	while (r == 0 && size) {
		size_t n = size < PIECE ? (size_t)size : PIECE;
		r = file_read(f, piece, n, offset);
		if (r == 0 && !EVP_DigestUpdate(ctx, piece, n))
			r = crypto_error(alg);
		offset += n;
		size -= n;
	}
	if (r == 0 && !EVP_DigestFinal_ex(ctx, digest, NULL))
		r = crypto_error(alg);
	free(piece);
	EVP_MD_CTX_free(ctx);
	return r;
}
