/* SPDX-License-Identifier: MIT */
#include "core/sha256.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

/* The cryptographic extensions of ARMv8, two messages at a time as on x86. */
#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
#define LANES  2
#define INLINE TARGET static inline __attribute__((always_inline))

struct lane {
	uint32x4_t abcd, efgh;
	uint32x4_t abcd_before, efgh_before;
	uint32x4_t w[4];
};

/* Rounds 4 * I to 4 * I + 3, and the message words of four rounds that come 16 later. */
INLINE void four_rounds(struct lane *l, int i, const uint8_t *block)
{
	uint32x4_t *w = l->w;
	if (i < 4)
		w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + 16 * i)));
	uint32x4_t wk = vaddq_u32(w[i & 3], vld1q_u32(sha256_k + 4 * i));
	uint32x4_t abcd = l->abcd;
	l->abcd = vsha256hq_u32(abcd, l->efgh, wk);
	l->efgh = vsha256h2q_u32(l->efgh, abcd, wk);
	/* Word group I is used up once the group four later can be made of it. */
	if (i >= 3 && i < 15)
		w[(i + 1) & 3] =
			vsha256su1q_u32(vsha256su0q_u32(w[(i + 1) & 3], w[(i + 2) & 3]),
				w[(i + 3) & 3], w[i & 3]);
}

TARGET static void compress(
	uint32_t (*states)[8], const uint8_t *const *data, size_t n_blocks)
{
	struct lane lanes[LANES];
	for (int k = 0; k < LANES; k++) {
		lanes[k].abcd = vld1q_u32(states[k]);
		lanes[k].efgh = vld1q_u32(states[k] + 4);
	}
	for (size_t at = 0; at < 64 * n_blocks; at += 64) {
		for (int k = 0; k < LANES; k++) {
			lanes[k].abcd_before = lanes[k].abcd;
			lanes[k].efgh_before = lanes[k].efgh;
		}
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			for (int k = 0; k < LANES; k++)
				four_rounds(&lanes[k], i, data[k] + at);
		for (int k = 0; k < LANES; k++) {
			lanes[k].abcd = vaddq_u32(lanes[k].abcd, lanes[k].abcd_before);
			lanes[k].efgh = vaddq_u32(lanes[k].efgh, lanes[k].efgh_before);
		}
	}
	for (int k = 0; k < LANES; k++) {
		vst1q_u32(states[k], lanes[k].abcd);
		vst1q_u32(states[k] + 4, lanes[k].efgh);
	}
}

static bool usable(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0;
}

const struct sha256_engine sha256_armv8_x2 = {
	.name = "armv8-x2", .lanes = LANES, .usable = usable, .compress = compress};
#endif
