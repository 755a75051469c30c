/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_RS_DECODE_H
#define CAIRN_CORE_RS_DECODE_H

#include <stdint.h>

/*
 * One codeword of the code in core/fec.h with N erased symbols and, besides, wrong ones
 * in places nobody knows: up to (ROOTS - N) / 2 of those. SYNDROMES: the ROOTS sums over
 * all symbols that are not erased. LOCATORS: 2^(254 - j) for each erased symbol j. VALUES
 * gets the erased symbols. Returns 0, or -1 if no codeword is near enough.
 */
int rs_decode(unsigned roots, const uint8_t *syndromes, unsigned n,
	const uint8_t *locators, uint8_t *values);

#endif
