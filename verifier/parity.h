/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PARITY_H
#define CAIRN_VERIFIER_PARITY_H

#include "verifier/payload.h"

/*
 * Checks REST, the bytes behind the hash tree, if they have the size of an error
 * correction's parity: it is computed again from data and tree. Returns true if REST was
 * such a parity by its size, and what it is has been reported; false for zeros.
 */
bool parity_check(
	const struct payload *p, const struct place *rest, struct report *report);

#endif
