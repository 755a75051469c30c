/* SPDX-License-Identifier: MIT */
#include "core/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/*
 * The SHA extensions of x86. One message leaves half of the unit idle, since each pair of
 * rounds waits for the one before; two messages fill it.
 */
#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE TARGET static inline __attribute__((always_inline))

struct lane {
	__m128i abef, cdgh;
	__m128i abef_before, cdgh_before;
	__m128i w[4];
};

/* The instructions want the eight words as ABEF and CDGH, highest first. */
INLINE void load_state(struct lane *l, const uint32_t state[8])
{
	__m128i dcba = _mm_loadu_si128((const __m128i *)state);
	__m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
	__m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	l->abef = _mm_alignr_epi8(cdab, efgh, 8);
	l->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

INLINE void store_state(const struct lane *l, uint32_t state[8])
{
	__m128i feba = _mm_shuffle_epi32(l->abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Rounds 4 * I to 4 * I + 3, and what they can do for the message words to come. */
INLINE void four_rounds(struct lane *l, int i, const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i *w = l->w;
	if (i < 4)
		w[i] = _mm_shuffle_epi8(
			_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
	__m128i wk = _mm_add_epi32(
		w[i & 3], _mm_load_si128((const __m128i *)(sha256_k + 4 * i)));
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, wk);
	if (i >= 3 && i < 15) {
		__m128i seven = _mm_alignr_epi8(w[i & 3], w[(i - 1) & 3], 4);
		w[(i + 1) & 3] = _mm_sha256msg2_epu32(
			_mm_add_epi32(w[(i + 1) & 3], seven), w[i & 3]);
	}
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(wk, 0x0e));
	if (i >= 1 && i < 13)
		w[(i - 1) & 3] = _mm_sha256msg1_epu32(w[(i - 1) & 3], w[i & 3]);
}

/* N is a constant wherever this is inlined. */
INLINE void compress(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks, const int n)
{
	struct lane lanes[2];
	for (int k = 0; k < n; k++)
		load_state(&lanes[k], states[k]);
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		for (int k = 0; k < n; k++) {
			lanes[k].abef_before = lanes[k].abef;
			lanes[k].cdgh_before = lanes[k].cdgh;
		}
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			for (int k = 0; k < n; k++)
				four_rounds(&lanes[k], i, data[k] + at);
		for (int k = 0; k < n; k++) {
			lanes[k].abef =
				_mm_add_epi32(lanes[k].abef, lanes[k].abef_before);
			lanes[k].cdgh =
				_mm_add_epi32(lanes[k].cdgh, lanes[k].cdgh_before);
		}
	}
	for (int k = 0; k < n; k++)
		store_state(&lanes[k], states[k]);
}

TARGET static void compress_two(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	compress(states, data, n_blocks, 2);
}

TARGET static void compress_one(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	compress(states, data, n_blocks, 1);
}

static bool usable(void)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
	       __builtin_cpu_supports("sse4.1");
}

const struct sha256_engine sha256_sha_ni = {
	.name = "sha-ni", .lanes = 1, .usable = usable, .compress = compress_one};
const struct sha256_engine sha256_sha_ni_x2 = {.name = "sha-ni-x2",
	.lanes = 2,
	.narrow = &sha256_sha_ni,
	.usable = usable,
	.compress = compress_two};
#endif
