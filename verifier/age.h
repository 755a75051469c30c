/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_AGE_H
#define CAIRN_VERIFIER_AGE_H

#include "verifier/payload.h"

/* What a good signature does not say: whether it was revoked, and how old it is. */

/*
 * Looks for the signer BY and for ROOT_HASH (each unless NULL) in the list that the
 * caller gave, and reports what is revoked.
 */
void age_check_revoked(const struct verify_options *o, const struct certificate *by,
	const char *root_hash, const char *check, const struct place *place,
	struct report *report);

/* Reports EPOCH, compared with the floor that the caller gave, if one was. */
void age_check_epoch(const struct verify_options *o, unsigned epoch,
	const struct place *place, struct report *report);

/*
 * The same for what the os-release or extension-release inside the data partition states;
 * it is read from erofs only, uncompressed, and what cannot be read is said.
 */
void age_check_payload(
	const struct payload *p, const struct verify_options *o, struct report *report);

#endif
