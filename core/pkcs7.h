/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PKCS7_H
#define CAIRN_CORE_PKCS7_H

#include <openssl/pkcs7.h>

#include "core/certificate.h"

/*
 * PKCS#7 messages (RFC 2315) with one signature, as dm-verity and Authenticode use them.
 * For .c files only: the headers above it stay free of OpenSSL's.
 */

/*
 * A signedData message, without content yet, that says CERTIFICATE's key made SIGNATURE
 * with SHA-256. NULL (recorded) if OpenSSL could not. The caller frees it.
 */
PKCS7 *pkcs7_new(const struct certificate *certificate, struct span signature);

/* Its one signer; it belongs to P7. */
PKCS7_SIGNER_INFO *pkcs7_signer(const PKCS7 *p7);

/*
 * Parses DER, to its last byte. -EINVAL, STATUS_FORMAT, with NAME in the message, unless
 * it is signedData with one signer, one SHA-2 digest and no other extra than embedded
 * certificates. The caller frees *P7.
 */
int pkcs7_parse(struct span der, const char *name, PKCS7 **p7);

/*
 * Whether a pinned certificate, good for PURPOSE, signed DATA. Issuer and serial number
 * choose it, its public key decides; certificates inside P7 are not looked at. BY is set
 * to it. -EKEYREJECTED, STATUS_TRUST, if not; -EINVAL, STATUS_FORMAT, for a kind of
 * signature that does not belong to such a key.
 */
int pkcs7_verify(const PKCS7 *p7, struct span data, const char *name,
	const struct certificates *pins, enum purpose purpose,
	const struct certificate **by);

#endif
