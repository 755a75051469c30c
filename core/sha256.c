/* SPDX-License-Identifier: MIT */
#include "core/sha256.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

/* FIPS 180-4, sections 4.2.2 and 5.3.3. */
const uint32_t sha256_k[64]
	__attribute__((aligned(64))) = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
		0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
		0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
		0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
		0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138,
		0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
		0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
		0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f,
		0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

const uint32_t sha256_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

const struct sha256_engine *const sha256_engines[] = {
#if defined(__x86_64__)
	&sha256_sha_ni_x4,
	&sha256_sha_ni_x2,
	&sha256_sha_ni,
	&sha256_avx2,
#elif defined(__aarch64__)
	&sha256_armv8_x2,
#endif
	NULL,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct sha256_engine *chosen;
static const char *refused; /* what CAIRN_SHA256 asked for in vain */

static void choose(void)
{
	const char *wanted = getenv("CAIRN_SHA256");
	if (wanted && !strcmp(wanted, "openssl"))
		return;
	for (unsigned i = 0; sha256_engines[i]; i++) {
		const struct sha256_engine *e = sha256_engines[i];
		if ((!wanted || !strcmp(wanted, e->name)) && e->usable()) {
			chosen = e;
			return;
		}
	}
	refused = wanted;
}

int sha256_engine(const struct sha256_engine **engine)
{
	pthread_once(&once, choose);
	*engine = chosen;
	if (refused)
		return error_usage(
			"CAIRN_SHA256: there is no '%s' on this machine", refused);
	return 0;
}

/* One message on all lanes: the others' results are left alone. */
static void compress_one(const struct sha256_engine *e, uint32_t state[8],
	const uint8_t *data, size_t n_blocks)
{
	uint32_t states[SHA256_LANES_MAX][8];
	const uint8_t *all[SHA256_LANES_MAX];
	while (e->narrow)
		e = e->narrow;
	for (unsigned i = 0; i < e->lanes; i++) {
		memcpy(states[i], state, sizeof states[i]);
		all[i] = data;
	}
	e->compress(states, all, n_blocks);
	memcpy(state, states[0], sizeof states[0]);
}

void sha256_parts(const struct sha256_engine *engine, const struct span *parts,
	size_t n_parts, uint8_t digest[32])
{
	uint32_t state[8];
	uint8_t block[128] = {0};
	size_t n = 0; /* in block */
	uint64_t total = 0;
	memcpy(state, sha256_start, sizeof state);
	for (size_t i = 0; i < n_parts; i++) {
		struct span s = parts[i];
		total += s.size;
		while (s.size) {
			size_t take = s.size < 64 - n ? s.size : 64 - n;
			memcpy(block + n, s.data, take);
			s = span_of(s.data + take, s.size - take);
			n += take;
			if (n == 64) {
				compress_one(engine, state, block, 1);
				n = 0;
			}
		}
	}
	/* FIPS 180-4, section 5.1.1: a one bit, zeros, the length in bits. */
	size_t size = n < 56 ? 64 : 128;
	memset(block + n, 0, sizeof block - n);
	block[n] = 0x80;
	put_be32(block + size - 8, (uint32_t)(total >> 29));
	put_be32(block + size - 4, (uint32_t)(total << 3));
	compress_one(engine, state, block, size / 64);
	for (size_t i = 0; i < 8; i++)
		put_be32(digest + 4 * i, state[i]);
}
