/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_ANCHORS_POLICY_H
#define CAIRN_COMPOSE_ANCHORS_POLICY_H

#include "initrd/compose/anchors.h"

/*
 * The policy for extensions: lines KEY=VALUE, those with * as often as wanted, the others
 * at most once; empty lines and those that start with # say nothing.
 *     epoch-floor=N                      nothing of a lower epoch is used
 *     setuid=refuse|allow                setuid and setgid files in extensions
 *     allow-override=NAME              * the extension NAME may replace others' files
 *     prefix=FINGERPRINT /PATH         * that signer may bring files below PATH only
 * FINGERPRINT is the SHA-256 of the certificate in DER, lower-case hex.
 */

/* Parses A->policy and fills in what follows from it; STATUS_FORMAT names the line. */
int anchors_policy_parse(struct anchors *a);

#endif
