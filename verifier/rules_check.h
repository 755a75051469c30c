/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_RULES_CHECK_H
#define CAIRN_VERIFIER_RULES_CHECK_H

#include "verifier/payload.h"

/*
 * Holds an image to o->rules; PAYLOADS are those of its sets, checked before. A rule that
 * is broken is a fault of status 8, one that could not be checked of status 7.
 */
void rules_check(const struct disk *disk, const struct payload *payloads,
	const struct verify_options *o, struct report *report);

#endif
