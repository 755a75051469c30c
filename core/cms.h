/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_CMS_H
#define CAIRN_CORE_CMS_H

#include "core/pin.h"

/*
 * The one kind of PKCS#7 (RFC 2315, RFC 5652) that vouches for a root hash, for programs
 * that OpenSSL is too large for: signedData of version 1, detached, by one signer named
 * by issuer and serial number, SHA-256, without signed or unsigned attributes, in DER. It
 * may carry the signer's certificate (as systemd-repart's do), which must then be the
 * pinned one, byte for byte. What is accepted here, core/signature.h accepts as well.
 */
struct cms {
	struct span certificates; /* what it carries: DER, or nothing */
	struct span issuer;       /* as in struct pin */
	struct span serial;
	enum key_kind kind; /* of the key that it says has signed */
	struct span signature;
};

/*
 * Parses DER to its last byte; the spans point into it. NAME is for messages.
 *   -EKEYREJECTED, STATUS_TRUST   another digest than SHA-256 (SHA-1 is too weak)
 *   -EINVAL, STATUS_FORMAT        anything else
 */
int cms_parse(struct cms *cms, struct span der, const char *name);

/* Whether PIN is whom the message names as its signer. Proves nothing yet. */
bool cms_names(const struct cms *cms, const struct pin *pin);

/*
 * Whether PIN's key has signed DATA. Neither purpose nor revocation is looked at.
 *   -EKEYREJECTED, STATUS_TRUST   it has not
 *   -EINVAL, STATUS_FORMAT        PIN's key cannot make this kind of signature, or the
 *                                 message carries a certificate that is not PIN
 */
int cms_verify(
	const struct cms *cms, const struct pin *pin, struct span data, const char *name);

#endif
