/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DAMAGE_H
#define CAIRN_VERIFIER_DAMAGE_H

#include "core/merkle.h"
#include "verifier/payload.h"

/*
 * Reports what DAMAGE a check of P's data and tree found, block by block, and which
 * files and structures of the file system the damaged data is of.
 */
void damage_report(const struct payload *p, const struct merkle_damage *damage,
	struct report *report);

#endif
