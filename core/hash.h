/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_HASH_H
#define CAIRN_CORE_HASH_H

#include "core/file.h"

/* The hash algorithms of dm-verity and fs-verity. */
enum hash_alg {
	HASH_SHA1,
	HASH_SHA256,
	HASH_SHA512,
};

#define HASH_MAX_SIZE 64

/* "sha1", "sha256", "sha512". */
const char *hash_name(enum hash_alg alg);

/* -EINVAL, STATUS_FORMAT, for a name that is none of these. */
int hash_by_name(const char *name, enum hash_alg *alg);

/* The digest's size, and the compression function's block size, in bytes. */
size_t hash_size(enum hash_alg alg);
size_t hash_block_size(enum hash_alg alg);

/* DIGEST = H(PARTS[0] || PARTS[1] || ...). */
int hash_parts(
	enum hash_alg alg, const struct span *parts, size_t n_parts, uint8_t *digest);

/* DIGEST = H of SIZE bytes of F from OFFSET. */
int hash_file(enum hash_alg alg, const struct file *f, uint64_t offset, uint64_t size,
	uint8_t *digest);

#endif
