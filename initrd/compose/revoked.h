/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_REVOKED_H
#define CAIRN_COMPOSE_REVOKED_H

#include "core/cms.h"

/*
 * A list of what was revoked: text, one a line, hex in lower case; empty lines and those
 * that start with # say nothing.
 *     certificate SHA256       of the certificate in DER
 *     serial SHA256 NUMBER     SHA-256 of the issuer's Name in DER, and the serial number
 *     roothash HASH            of the data partition
 */

/* STATUS_FORMAT, naming NAME and the line, unless every line is one of these. */
int revoked_check(struct span text, const char *name);

/* These three need a list that revoked_check found good. */
bool revoked_root_hash(struct span text, const char *root_hash);
bool revoked_pin(struct span text, const struct pin *pin);

/* Whether the signer that CMS names is revoked by issuer and serial number. */
bool revoked_signer(struct span text, const struct cms *cms);

#endif
