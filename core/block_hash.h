/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_BLOCK_HASH_H
#define CAIRN_CORE_BLOCK_HASH_H

#include "core/hash.h"
#include "core/sha256.h"

/*
 * Digests of many blocks of one size, each H(PREFIX || block || SUFFIX): what the leaves
 * and nodes of a Merkle tree are. The prefix is compressed once, blocks are hashed in
 * place and several at a time, and a block of zeros is recognised instead of being
 * hashed.
 *
 * The struct does not change after block_hash_init, so any number of threads may share
 * it.
 */
#define BLOCK_HASH_AFFIX_MAX 256
#define BLOCK_HASH_TAIL_MAX  384

struct block_hash {
	enum hash_alg alg;
	size_t block_size; /* a power of two, at least 64 */
	size_t digest_size;
	uint8_t zero[HASH_MAX_SIZE]; /* the digest of a block of zeros */
	/* By OpenSSL: */
	struct evp_md_ctx_st *start; /* after PREFIX; NULL if an engine does the work */
	uint8_t suffix[BLOCK_HASH_AFFIX_MAX];
	size_t suffix_size;
	/* By an engine: */
	const struct sha256_engine *engine;
	uint32_t midstate[8]; /* after the part of PREFIX that fills 64-byte blocks */
	uint8_t rest[64];     /* what follows of it */
	size_t rest_size;
	/* The end of the message, with room for `rest_size` bytes of the block at its
	 * front. */
	uint8_t tail[BLOCK_HASH_TAIL_MAX];
	size_t tail_blocks;
};

#define AUTO_BLOCK_HASH __attribute__((cleanup(block_hash_free))) struct block_hash

/* PREFIX and SUFFIX: at most BLOCK_HASH_AFFIX_MAX bytes, copied. */
int block_hash_init(struct block_hash *h, enum hash_alg alg, size_t block_size,
	struct span prefix, struct span suffix);

/* May be called twice, and on a zeroed struct. */
void block_hash_free(struct block_hash *h);

/* The digests of N adjacent BLOCKS, written STRIDE bytes apart; gaps are left alone. */
int block_hash_run(const struct block_hash *h, const uint8_t *blocks, size_t n,
	uint8_t *digests, size_t stride);

/* One of many blocks that lie anywhere. Its bytes from USED on are zeros. */
struct block_hash_part {
	const uint8_t *block;
	size_t used;
	uint8_t *digest;
};

/*
 * The digests of N blocks. Best if those that follow each other have about as much in
 * them: what is zero in all that are hashed together costs less.
 */
int block_hash_parts(
	const struct block_hash *h, const struct block_hash_part *parts, size_t n);

/* Whether SIZE bytes (a multiple of 64) are all zero. */
bool block_is_zero(const uint8_t *data, size_t size);

#endif
