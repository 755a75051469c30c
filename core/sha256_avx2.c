/* SPDX-License-Identifier: MIT */
#include "core/sha256.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* For processors without the SHA extensions: eight messages side by side. */
#define TARGET        __attribute__((target("avx2")))
#define INLINE        TARGET static inline __attribute__((always_inline))
#define VEC           __m256i
#define LANES         8
#define ADD(a, b)     _mm256_add_epi32(a, b)
#define SHR(x, n)     _mm256_srli_epi32(x, n)
#define ROR(x, n)     _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define XOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define CH(a, b, c)   _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)))
#define MAJ(a, b, c)     \
	_mm256_or_si256( \
		_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
#define SET1(k) _mm256_set1_epi32((int)(k))

/* Transposes 8 rows of 8 words, twice. */
INLINE void load_words(size_t at, const uint8_t *const *data, __m256i w[16])
{
	const __m256i swap = _mm256_broadcastsi128_si256(
		_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
	for (size_t half = 0; half < 2; half++) {
		__m256i r[8], p[8];
		for (int i = 0; i < 8; i++)
			r[i] = _mm256_shuffle_epi8(
				_mm256_loadu_si256(
					(const __m256i *)(data[i] + at + 32 * half)),
				swap);
		for (int i = 0; i < 8; i += 4) {
			__m256i a = _mm256_unpacklo_epi32(r[i], r[i + 1]);
			__m256i b = _mm256_unpackhi_epi32(r[i], r[i + 1]);
			__m256i c = _mm256_unpacklo_epi32(r[i + 2], r[i + 3]);
			__m256i d = _mm256_unpackhi_epi32(r[i + 2], r[i + 3]);
			p[i] = _mm256_unpacklo_epi64(a, c);
			p[i + 1] = _mm256_unpackhi_epi64(a, c);
			p[i + 2] = _mm256_unpacklo_epi64(b, d);
			p[i + 3] = _mm256_unpackhi_epi64(b, d);
		}
		for (int i = 0; i < 4; i++) {
			w[8 * half + (size_t)i] =
				_mm256_permute2x128_si256(p[i], p[i + 4], 0x20);
			w[8 * half + (size_t)i + 4] =
				_mm256_permute2x128_si256(p[i], p[i + 4], 0x31);
		}
	}
}

INLINE VEC big_sigma_0(VEC x)
{
	return XOR3(ROR(x, 2), ROR(x, 13), ROR(x, 22));
}

INLINE VEC big_sigma_1(VEC x)
{
	return XOR3(ROR(x, 6), ROR(x, 11), ROR(x, 25));
}

INLINE VEC small_sigma_0(VEC x)
{
	return XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3));
}

INLINE VEC small_sigma_1(VEC x)
{
	return XOR3(ROR(x, 17), ROR(x, 19), SHR(x, 10));
}

/* Round I modulo 16: instead of the words the roles move, from S[-I & 7] on. */
INLINE void one_round(VEC s[8], VEC w, uint32_t k, int i)
{
#define ROLE(n) s[((n)-i) & 7]
	VEC t = ADD(ADD(ROLE(7), big_sigma_1(ROLE(4))),
		ADD(CH(ROLE(4), ROLE(5), ROLE(6)), ADD(w, SET1(k))));
	ROLE(3) = ADD(ROLE(3), t);
	ROLE(7) = ADD(t, ADD(big_sigma_0(ROLE(0)), MAJ(ROLE(0), ROLE(1), ROLE(2))));
#undef ROLE
}

INLINE void one_block(VEC s[8], VEC w[16])
{
	for (int first = 0; first < 48; first += 16) {
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			one_round(s, w[i], sha256_k[first + i], i);
			w[i] = ADD(ADD(w[i], small_sigma_0(w[(i + 1) & 15])),
				ADD(w[(i + 9) & 15], small_sigma_1(w[(i + 14) & 15])));
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		one_round(s, w[i], sha256_k[48 + i], i);
}

TARGET static void compress(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	union {
		VEC v[8];
		uint32_t u[8][LANES];
	} s;
	for (int k = 0; k < 8; k++)
		for (int lane = 0; lane < LANES; lane++)
			s.u[k][lane] = states[lane][k];
	VEC state[8];
	for (int k = 0; k < 8; k++)
		state[k] = s.v[k];
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		VEC w[16], before[8];
		load_words(at, data, w);
		for (int k = 0; k < 8; k++)
			before[k] = state[k];
		one_block(state, w);
		for (int k = 0; k < 8; k++)
			state[k] = ADD(state[k], before[k]);
	}
	for (int k = 0; k < 8; k++)
		s.v[k] = state[k];
	for (int k = 0; k < 8; k++)
		for (int lane = 0; lane < LANES; lane++)
			states[lane][k] = s.u[k][lane];
}

static bool usable(void)
{
	return __builtin_cpu_supports("avx2");
}

const struct sha256_engine sha256_avx2 = {
	.name = "avx2", .lanes = LANES, .usable = usable, .compress = compress};
#endif
