/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_GF256_H
#define CAIRN_CORE_GF256_H

#include <stddef.h>
#include <stdint.h>

/*
 * The field of 256 elements that dm-verity's error correction is over: polynomials modulo
 * x^8 + x^4 + x^3 + x^2 + 1 (0x11d). Its generator is 2. Addition is exclusive or.
 */

/* 2 to the power N, any N. */
uint8_t gf_power(unsigned n);

uint8_t gf_mul(uint8_t a, uint8_t b);

/* 1 / A; A is not 0. */
uint8_t gf_inverse(uint8_t a);

/* TO[i] += C * FROM[i] for N bytes, with vector instructions where there are any. */
void gf_mul_add(uint8_t c, const uint8_t *from, uint8_t *to, size_t n);

/* TO[i] = A[i] + B[i]. */
void gf_add(const uint8_t *a, const uint8_t *b, uint8_t *to, size_t n);

/* The plain loop, for tests of the other ways. */
void gf_mul_add_plain(uint8_t c, const uint8_t *from, uint8_t *to, size_t n);

#endif
