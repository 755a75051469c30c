/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_SIGNATURE_H
#define CAIRN_CORE_SIGNATURE_H

#include "core/signer.h"

/*
 * The signature of a root hash, and the partition that holds it (the -verity-sig of the
 * Discoverable Partitions Specification): one JSON object
 *     {"rootHash":HEX,"certificateFingerprint":HEX,"signature":BASE64}
 * and zeros up to the partition's end. The signature is PKCS#7 in DER, detached and
 * without signed attributes, over the root hash as lower-case hex text: what
 * `openssl smime -sign -nocerts -noattr -binary -outform der` writes, and what the
 * kernel's dm-verity accepts.
 */

/* The partition's size in a Cairn image, signed or not. */
#define SIGNATURE_PARTITION_SIZE 16384

/* The JSON text may have at most this many bytes. */
#define SIGNATURE_JSON_MAX 65536

#define ROOT_HASH_TEXT_SIZE 65 /* SHA-256 in hex, and a NUL */

struct signature {
	char root_hash[ROOT_HASH_TEXT_SIZE];     /* the text that was signed */
	char fingerprint[FINGERPRINT_TEXT_SIZE]; /* a claim; checked when verified */
	struct buffer pkcs7;                     /* DER */
};

void signature_free(struct signature *s);
#define AUTO_SIGNATURE __attribute__((cleanup(signature_free))) struct signature

/* Signs ROOT_HASH, lower-case hex. S is filled; its old contents are freed. */
int signature_make(
	struct signature *s, const struct signer *signer, const char *root_hash);

/*
 * Completes S from ANSWER, which the holder of the certificate's key made elsewhere: the
 * plain signature of the text ROOT_HASH with SHA-256, or PKCS#7 of the kind above around
 * it. -EKEYREJECTED, STATUS_TRUST, if it is not that.
 */
int signature_attach(struct signature *s, const struct certificate *certificate,
	const char *root_hash, struct span answer);

/* Appends the JSON text, without padding. The same signature gives the same bytes. */
int signature_write(const struct signature *s, struct buffer *json);

/*
 * The whole partition: JSON and zeros, SIGNATURE_PARTITION_SIZE bytes. S may be NULL: an
 * unsigned image has a partition of zeros, so that it can be signed later.
 */
int signature_partition(const struct signature *s, struct buffer *partition);

/*
 * Parses PARTITION. Strict: one object of exactly these three members, no escapes, hex
 * lower-case (64 digits for the root hash), canonical base64, nothing but zeros behind.
 * NAME is for messages.
 * Returns 0; 1 if the partition is all zeros, so not signed; -EINVAL, STATUS_FORMAT.
 */
int signature_parse(struct signature *s, struct span partition, const char *name);

/*
 * Verifies S, over its own root_hash, against the pinned certificates: one of them, good
 * for PURPOSE, must be the signer. Certificates inside the signature are ignored.
 * BY (may be NULL) is set to it; it belongs to PINS.
 *   -EKEYREJECTED, STATUS_TRUST   nobody pinned signed this, or for another purpose
 *   -EINVAL, STATUS_FORMAT        no PKCS#7 of the kind above
 */
int signature_verify(const struct signature *s, const char *name,
	const struct certificates *pins, enum purpose purpose,
	const struct certificate **by);

#endif
