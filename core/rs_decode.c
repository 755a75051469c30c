/* SPDX-License-Identifier: MIT */
#include "core/rs_decode.h"

#include <string.h>

#include "core/fec.h"
#include "core/gf256.h"

/*
 * Berlekamp and Massey's algorithm begun with the erasures, then Forney's formula; after
 * R. E. Blahut, "Theory and Practice of Error Control Codes", chapter 9. Polynomials have
 * the coefficient of x^i at [i]. The degree never exceeds the number of roots.
 */
#define SIZE (FEC_ROOTS_MAX + 2)

static uint8_t evaluate(const uint8_t *p, unsigned degree, uint8_t x)
{
	uint8_t v = 0;
	for (unsigned i = degree + 1; i-- > 0;)
		v = (uint8_t)(gf_mul(v, x) ^ p[i]);
	return v;
}

/* The product of 1 - X x over the erasures. */
static void erasure_locator(unsigned n, const uint8_t *locators, uint8_t *p)
{
	p[0] = 1;
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = k + 1; i > 0; i--)
			p[i] ^= gf_mul(locators[k], p[i - 1]);
}

/* Lengthens the locator until it explains all syndromes. Returns its degree. */
static unsigned find_locator(
	unsigned roots, const uint8_t *s, unsigned n, uint8_t *locator)
{
	uint8_t other[SIZE] = {0}, next[SIZE];
	memcpy(other, locator, SIZE);
	unsigned length = n;
	for (unsigned r = n + 1; r <= roots; r++) {
		uint8_t discrepancy = 0;
		for (unsigned i = 0; i < r; i++)
			discrepancy ^= gf_mul(locator[i], s[r - 1 - i]);
		memmove(other + 1, other, SIZE - 1);
		other[0] = 0;
		if (discrepancy == 0)
			continue;
		for (unsigned i = 0; i < SIZE; i++)
			next[i] = (uint8_t)(locator[i] ^ gf_mul(discrepancy, other[i]));
		if (2 * length <= r - 1 + n) {
			length = r + n - length;
			for (unsigned i = 0; i < SIZE; i++)
				other[i] = gf_mul(gf_inverse(discrepancy), locator[i]);
		}
		memcpy(locator, next, SIZE);
	}
	return length;
}

/* As many roots as the degree says, or the codeword is not near. */
static int count_roots(const uint8_t *locator, unsigned degree)
{
	unsigned n = 0;
	for (unsigned i = 0; i < FEC_SYMBOLS; i++)
		n += evaluate(locator, degree, gf_power(i)) == 0;
	return n == degree;
}

int rs_decode(unsigned roots, const uint8_t *s, unsigned n, const uint8_t *locators,
	uint8_t *values)
{
	uint8_t locator[SIZE] = {0}, evaluator[SIZE] = {0}, derivative[SIZE] = {0};
	erasure_locator(n, locators, locator);
	unsigned degree = find_locator(roots, s, n, locator);
	if (2 * degree > roots + n || !count_roots(locator, degree))
		return -1;
	for (unsigned i = 0; i < roots; i++)
		for (unsigned k = 0; k <= i && k <= degree; k++)
			evaluator[i] ^= gf_mul(locator[k], s[i - k]);
	/* In characteristic 2 the derivative has the odd terms only. */
	for (unsigned i = 1; i <= degree; i += 2)
		derivative[i - 1] = locator[i];
	for (unsigned k = 0; k < n; k++) {
		uint8_t x = gf_inverse(locators[k]);
		uint8_t slope = evaluate(derivative, degree, x);
		if (slope == 0)
			return -1;
		values[k] = gf_mul(gf_mul(locators[k], evaluate(evaluator, roots - 1, x)),
			gf_inverse(slope));
	}
	return 0;
}
