/* SPDX-License-Identifier: MIT */
#include "core/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/*
 * The SHA extensions of x86. Each pair of rounds waits four cycles for the one before, so
 * that one message leaves most of the unit idle. Two fill it where it begins a pair every
 * other cycle (Zen 3); Zen 4 begins one each cycle, and four messages are a fifth faster:
 * 53 cycles for 64 bytes instead of 65. More than two need more registers than the
 * extensions can name; the 16 that AVX-512 adds hold what has to wait.
 */
#define TARGET    __attribute__((target("sha,sse4.1,ssse3")))
#define TARGET_32 __attribute__((target("sha,avx512vl")))
#define INLINE    TARGET static inline __attribute__((always_inline))

/* Unrolled, since a lane whose number is not known would have to live in memory. */
#define EACH(k, n) _Pragma("GCC unroll 4") for (size_t k = 0; k < (n); k++)

struct lane {
	__m128i abef, cdgh;
	__m128i w[4];
};

/* The state before a block, which is added to the one after it. */
struct before {
	__m128i abef, cdgh;
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

/*
 * Of 4096-byte blocks the lanes take neighbours, so that the next ones are this far
 * ahead; where that is wrong it costs nothing.
 */
#define AHEAD(lanes) (4096 * (lanes))

INLINE void prefetch(const uint8_t *block, size_t ahead)
{
	_mm_prefetch((const char *)block + ahead, _MM_HINT_T0);
}

/*
 * What is kept is put into memory, where it is out of the way for 64 rounds, and the
 * state stays in registers from block to block. Left to itself the compiler keeps one
 * copy in memory for both, and each block begins with waiting for its store (7 % slower).
 */
INLINE void keep(const struct lane *l, struct before *b)
{
	*b = (struct before){l->abef, l->cdgh};
	__asm__("" : "+m"(*b));
}

INLINE void add(struct lane *l, const struct before *b)
{
	l->abef = _mm_add_epi32(l->abef, b->abef);
	l->cdgh = _mm_add_epi32(l->cdgh, b->cdgh);
	__asm__("" : "+x"(l->abef), "+x"(l->cdgh));
}

TARGET static void compress_two(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	struct lane one, two;
	struct before one_before, two_before;
	load_state(&one, states[0]);
	load_state(&two, states[1]);
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		prefetch(data[0] + at, AHEAD(2));
		prefetch(data[1] + at, AHEAD(2));
		keep(&one, &one_before);
		keep(&two, &two_before);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			four_rounds(&one, i, data[0] + at);
			four_rounds(&two, i, data[1] + at);
		}
		add(&one, &one_before);
		add(&two, &two_before);
	}
	store_state(&one, states[0]);
	store_state(&two, states[1]);
}

TARGET_32 static void compress_four(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	struct lane lanes[4];
	struct before before[4];
	EACH (k, 4)
		load_state(&lanes[k], states[k]);
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		EACH (k, 4) {
			prefetch(data[k] + at, AHEAD(4));
			keep(&lanes[k], &before[k]);
		}
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			EACH (k, 4)
				four_rounds(&lanes[k], i, data[k] + at);
		EACH (k, 4)
			add(&lanes[k], &before[k]);
	}
	EACH (k, 4)
		store_state(&lanes[k], states[k]);
}

TARGET static void compress_one(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	struct lane one;
	struct before before;
	load_state(&one, states[0]);
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		keep(&one, &before);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			four_rounds(&one, i, data[0] + at);
		add(&one, &before);
	}
	store_state(&one, states[0]);
}

/* As four_rounds for a block of zeros, all of whose message words are zero. */
INLINE void four_rounds_of_zeros(struct lane *l, int i)
{
	__m128i k = _mm_load_si128((const __m128i *)(sha256_k + 4 * i));
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, k);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(k, 0x0e));
}

INLINE void compress_zeros(uint32_t (*states)[8], size_t n_lanes, size_t n_blocks)
{
	struct lane lanes[4];
	struct before before[4];
	EACH (k, n_lanes)
		load_state(&lanes[k], states[k]);
	while (n_blocks-- > 0) {
		EACH (k, n_lanes)
			keep(&lanes[k], &before[k]);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			EACH (k, n_lanes)
				four_rounds_of_zeros(&lanes[k], i);
		EACH (k, n_lanes)
			add(&lanes[k], &before[k]);
	}
	EACH (k, n_lanes)
		store_state(&lanes[k], states[k]);
}

TARGET_32 static void zeros_four(uint32_t (*states)[8], size_t n_blocks)
{
	compress_zeros(states, 4, n_blocks);
}

TARGET static void zeros_two(uint32_t (*states)[8], size_t n_blocks)
{
	compress_zeros(states, 2, n_blocks);
}

TARGET static void zeros_one(uint32_t (*states)[8], size_t n_blocks)
{
	compress_zeros(states, 1, n_blocks);
}

static bool usable(void)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) &&
	       __builtin_cpu_supports("sse4.1");
}

/* That the system keeps the registers of AVX-512, too, is part of the answer. */
static bool usable_four(void)
{
	return usable() && __builtin_cpu_supports("avx512vl");
}

const struct sha256_engine sha256_sha_ni = {.name = "sha-ni",
	.lanes = 1,
	.usable = usable,
	.compress = compress_one,
	.compress_zeros = zeros_one};
const struct sha256_engine sha256_sha_ni_x2 = {.name = "sha-ni-x2",
	.lanes = 2,
	.narrow = &sha256_sha_ni,
	.usable = usable,
	.compress = compress_two,
	.compress_zeros = zeros_two};
const struct sha256_engine sha256_sha_ni_x4 = {.name = "sha-ni-x4",
	.lanes = 4,
	.narrow = &sha256_sha_ni_x2,
	.usable = usable_four,
	.compress = compress_four,
	.compress_zeros = zeros_four};
#endif
