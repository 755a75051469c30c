/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_VOUCH_H
#define CAIRN_INITRD_PLAN_VOUCH_H

#include "core/buffer.h"

/*
 * The signature partition as the init reads it, to hand the PKCS#7 on to the kernel. The
 * same format and strictness as core/signature.h, which needs OpenSSL: one object of the
 * string members rootHash, certificateFingerprint and signature (base64), no escapes,
 * each once, nothing but zeros behind it.
 */
#define VOUCH_MAX_SIZE         65536
#define VOUCH_FINGERPRINT_SIZE 65 /* SHA-256 in hex, and a NUL */

/*
 * Appends the PKCS#7 in DER that PARTITION holds for ROOT_HASH. Returns 0; 1 if the
 * partition is all zeros (not signed) or made for another root hash; STATUS_FORMAT if it
 * is malformed (NAME is for messages). FINGERPRINT (of VOUCH_FINGERPRINT_SIZE bytes, may
 * be NULL) becomes the certificate's that the partition claims.
 */
int vouch_parse(struct span partition, const char *name, const char *root_hash,
	struct buffer *pkcs7, char *fingerprint);

#endif
