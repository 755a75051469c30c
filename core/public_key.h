/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PUBLIC_KEY_H
#define CAIRN_CORE_PUBLIC_KEY_H

#include <stdbool.h>

#include "core/error.h"
#include "core/span.h"

/*
 * Public keys and the signatures made with their other half, for programs that OpenSSL is
 * too large for: the arithmetic is BearSSL's, the formats are read here, in their one
 * strict form. core/signer.h is the same for programs that have OpenSSL.
 */

enum key_kind {
	KEY_RSA,   /* 2048 to 4096 bits */
	KEY_ECDSA, /* on P-256, P-384 or P-521 */
};

/* The spans point into what was parsed. */
struct public_key {
	enum key_kind kind;
	struct span modulus, exponent; /* big-endian, without leading zeros */
	int curve;                     /* BearSSL's number */
	struct span point;             /* 04 X Y */
};

/*
 * Reads SPKI, a SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7). NAME is for messages.
 *   -EKEYREJECTED, STATUS_TRUST   an RSA key below 2048 bits (or above 4096), another
 *                                 curve, another kind of key
 *   -EINVAL, STATUS_FORMAT        malformed
 */
int public_key_parse(struct public_key *key, struct span spki, const char *name);

#define PUBLIC_KEY_DIGEST_SIZE 32

/* SHA-256 of DATA. */
void public_key_digest(struct span data, uint8_t digest[PUBLIC_KEY_DIGEST_SIZE]);

/*
 * Whether SIGNATURE is the key's over a SHA-256 DIGEST: PKCS#1 v1.5 (RFC 8017, 8.2.2, by
 * comparing the whole block) or ECDSA as DER.
 */
bool public_key_verify(const struct public_key *key,
	const uint8_t digest[PUBLIC_KEY_DIGEST_SIZE], struct span signature);

#endif
