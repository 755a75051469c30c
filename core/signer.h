/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_SIGNER_H
#define CAIRN_CORE_SIGNER_H

#include "core/certificate.h"

/* A private key with the certificate it belongs to. */
struct signer {
	struct evp_pkey_st *key; /* owned */
	struct certificate certificate;
};

/*
 * Loads the private key KEY, a PEM file or a "pkcs11:" URI (RFC 7512), and the
 * certificate in the file CERTIFICATE. A passphrase or PIN is asked for on the terminal;
 * without one that is an error. -EKEYREJECTED, STATUS_TRUST, if the two do not belong
 * together or the certificate is for another purpose than PURPOSE.
 */
int signer_load(
	struct signer *s, const char *key, const char *certificate, enum purpose purpose);
void signer_free(struct signer *s);
#define AUTO_SIGNER __attribute__((cleanup(signer_free))) struct signer

/*
 * Appends the plain signature of DATA with SHA-256: PKCS#1 v1.5 for RSA, as DER for
 * ECDSA. With RSA the same data give the same bytes.
 */
int signer_sign(const struct signer *s, struct span data, struct buffer *signature);

/*
 * Whether SIGNATURE is the plain signature of DATA by the holder of the certificate's
 * key. DIGEST is the name of the hash, "sha256" where we signed. -EKEYREJECTED,
 * STATUS_TRUST, if not.
 */
int signer_verify(const struct certificate *c, const char *digest, struct span data,
	struct span signature);

#endif
