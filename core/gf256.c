/* SPDX-License-Identifier: MIT */
#include "core/gf256.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define POLYNOMIAL 0x11d

/*
 * Multiplication by C is linear, so that a product is the sum of two: of the low and of
 * the high four bits. 16 products each fit a vector, and a byte shuffle looks all of them
 * up.
 */
struct products {
	uint8_t low[16];
	uint8_t high[16];
};

static uint8_t powers[255]; /* of 2 */
static uint8_t logs[256];   /* the inverse; logs[0] is not used */
static struct products products[256] __attribute__((aligned(32)));
static void (*vector_mul_add)(
	const struct products *p, const uint8_t *from, uint8_t *to, size_t n);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint8_t multiply(uint8_t a, uint8_t b)
{
	return a && b ? powers[(logs[a] + logs[b]) % 255] : 0;
}

/* Bytes that a vector would be too wide for, and machines without. */
static void mul_add_bytes(
	const struct products *p, const uint8_t *from, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= p->low[from[i] & 15] ^ p->high[from[i] >> 4];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void mul_add_avx2(
	const struct products *p, const uint8_t *from, uint8_t *to, size_t n)
{
	const __m256i mask = _mm256_set1_epi8(15);
	__m256i low =
		_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)p->low));
	__m256i high =
		_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)p->high));
	size_t i = 0;
	for (; i + 32 <= n; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(from + i));
		__m256i y = _mm256_loadu_si256((const __m256i *)(to + i));
		__m256i a = _mm256_shuffle_epi8(low, _mm256_and_si256(x, mask));
		__m256i b = _mm256_shuffle_epi8(
			high, _mm256_and_si256(_mm256_srli_epi64(x, 4), mask));
		_mm256_storeu_si256(
			(__m256i *)(to + i), _mm256_xor_si256(y, _mm256_xor_si256(a, b)));
	}
	mul_add_bytes(p, from + i, to + i, n - i);
}

__attribute__((target("ssse3"))) static void mul_add_ssse3(
	const struct products *p, const uint8_t *from, uint8_t *to, size_t n)
{
	const __m128i mask = _mm_set1_epi8(15);
	__m128i low = _mm_load_si128((const __m128i *)p->low);
	__m128i high = _mm_load_si128((const __m128i *)p->high);
	size_t i = 0;
	for (; i + 16 <= n; i += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(from + i));
		__m128i y = _mm_loadu_si128((const __m128i *)(to + i));
		__m128i a = _mm_shuffle_epi8(low, _mm_and_si128(x, mask));
		__m128i b =
			_mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi64(x, 4), mask));
		_mm_storeu_si128(
			(__m128i *)(to + i), _mm_xor_si128(y, _mm_xor_si128(a, b)));
	}
	mul_add_bytes(p, from + i, to + i, n - i);
}

static void choose_vector(void)
{
	vector_mul_add = mul_add_bytes;
	if (__builtin_cpu_supports("ssse3"))
		vector_mul_add = mul_add_ssse3;
	if (__builtin_cpu_supports("avx2"))
		vector_mul_add = mul_add_avx2;
}
#elif defined(__aarch64__)
static void mul_add_neon(
	const struct products *p, const uint8_t *from, uint8_t *to, size_t n)
{
	uint8x16_t low = vld1q_u8(p->low), high = vld1q_u8(p->high);
	size_t i = 0;
	for (; i + 16 <= n; i += 16) {
		uint8x16_t x = vld1q_u8(from + i);
		uint8x16_t a = vqtbl1q_u8(low, vandq_u8(x, vdupq_n_u8(15)));
		uint8x16_t b = vqtbl1q_u8(high, vshrq_n_u8(x, 4));
		vst1q_u8(to + i, veorq_u8(vld1q_u8(to + i), veorq_u8(a, b)));
	}
	mul_add_bytes(p, from + i, to + i, n - i);
}

static void choose_vector(void)
{
	vector_mul_add = mul_add_neon;
}
#else
static void choose_vector(void)
{
	vector_mul_add = mul_add_bytes;
}
#endif

static void make_tables(void)
{
	unsigned v = 1;
	for (unsigned i = 0; i < 255; i++) {
		powers[i] = (uint8_t)v;
		logs[v] = (uint8_t)i;
		v <<= 1;
		if (v & 0x100)
			v ^= POLYNOMIAL;
	}
	for (unsigned c = 0; c < 256; c++)
		for (unsigned i = 0; i < 16; i++) {
			products[c].low[i] = multiply((uint8_t)c, (uint8_t)i);
			products[c].high[i] = multiply((uint8_t)c, (uint8_t)(i << 4));
		}
	choose_vector();
}

uint8_t gf_power(unsigned n)
{
	pthread_once(&once, make_tables);
	return powers[n % 255];
}

uint8_t gf_mul(uint8_t a, uint8_t b)
{
	pthread_once(&once, make_tables);
	return multiply(a, b);
}

uint8_t gf_inverse(uint8_t a)
{
	pthread_once(&once, make_tables);
	return powers[(255 - logs[a]) % 255];
}

void gf_mul_add(uint8_t c, const uint8_t *from, uint8_t *to, size_t n)
{
	pthread_once(&once, make_tables);
	vector_mul_add(&products[c], from, to, n);
}

void gf_mul_add_plain(uint8_t c, const uint8_t *from, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= gf_mul(c, from[i]);
}

void gf_add(const uint8_t *a, const uint8_t *b, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = a[i] ^ b[i];
}
