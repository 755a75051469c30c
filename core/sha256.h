/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_SHA256_H
#define CAIRN_CORE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/span.h"

/*
 * SHA-256's compression function on several messages side by side, in the ways that
 * processors offer. Which one runs is decided once per process, by what the processor
 * says or by the environment variable CAIRN_SHA256. Where there is none, OpenSSL does the
 * work.
 */
#define SHA256_LANES_MAX 8

extern const uint32_t sha256_k[64];
extern const uint32_t sha256_start[8];

struct sha256_engine {
	const char *name;
	unsigned lanes; /* messages at a time, at most SHA256_LANES_MAX */
	const struct sha256_engine *narrow; /* for what is left over; or NULL */
	bool (*usable)(void);               /* on this machine */
	/*
	 * Takes N_BLOCKS blocks of 64 bytes from each of the `lanes` pointers in DATA (of
	 * any alignment) into the states.
	 */
	void (*compress)(
		uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks);
	/* The same for N_BLOCKS blocks of zeros, for less; or NULL. */
	void (*compress_zeros)(uint32_t (*states)[8], size_t n_blocks);
};

/* All that this architecture has, best first, ending with NULL. */
extern const struct sha256_engine *const sha256_engines[];

/*
 * The one in use: *ENGINE is NULL for OpenSSL. Fails (STATUS_USAGE) if CAIRN_SHA256 names
 * none that can run here.
 */
int sha256_engine(const struct sha256_engine **engine);

/*
 * DIGEST = SHA-256(PARTS[0] || PARTS[1] || ...) by ENGINE. For short messages: without
 * the milliseconds that OpenSSL takes to set itself up.
 */
void sha256_parts(const struct sha256_engine *engine, const struct span *parts,
	size_t n_parts, uint8_t digest[32]);

/* For the files that have one each. */
extern const struct sha256_engine sha256_sha_ni_x4, sha256_sha_ni_x2, sha256_sha_ni;
extern const struct sha256_engine sha256_avx2, sha256_armv8_x2;

#endif
