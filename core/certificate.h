/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_CERTIFICATE_H
#define CAIRN_CORE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/buffer.h"
#include "core/purpose.h"

/*
 * Whom we trust, and for what. A pinned certificate stands for exactly one signer: its
 * issuer, serial number and public key. There is no path building, and no date in it
 * makes a signature invalid (a dead clock must not brick a machine).
 */

#define FINGERPRINT_TEXT_SIZE 65

struct certificate {
	struct x509_st *x509;                    /* owned */
	char fingerprint[FINGERPRINT_TEXT_SIZE]; /* SHA-256 of its DER, lower-case hex */
	char *name; /* owned; the file it came from, for messages */
};

/*
 * Reads exactly one certificate, PEM or DER, of at most 64 KiB. A key that is too weak
 * to trust (RSA below 2048 bits, a curve other than P-256, P-384 and P-521, any other
 * kind of key) is -EKEYREJECTED, STATUS_TRUST; what is no certificate is STATUS_FORMAT.
 */
int certificate_load(struct certificate *c, const char *path);
void certificate_free(struct certificate *c);
#define AUTO_CERTIFICATE __attribute__((cleanup(certificate_free))) struct certificate

/*
 * -EKEYREJECTED, STATUS_TRUST, if the certificate names purposes of ours and PURPOSE is
 * none of them. A certificate that names none of ours is good for any.
 */
int certificate_check_purpose(const struct certificate *c, enum purpose purpose);

/*
 * The bits of the RSA key that is as strong as the certificate's key: of an RSA key its
 * own, of the curves 3072, 7680 and 15360 (NIST SP 800-57 part 1, table 2).
 */
unsigned certificate_rsa_bits(const struct certificate *c);

/* Whether NOW is inside its validity dates: worth a warning, never a refusal. */
bool certificate_is_current(const struct certificate *c, time_t now);

/* A set of pinned certificates; zeroed it is empty, and an empty set trusts nobody. */
struct certificates {
	struct certificate *items;
	size_t n_items;
};

/*
 * Adds the certificate in the file PATH or, if PATH is a directory, in every file in it
 * whose name ends in .crt or .pem. Anything unreadable, malformed or weak refuses all.
 */
int certificates_add(struct certificates *set, const char *path);
void certificates_free(struct certificates *set);
#define AUTO_CERTIFICATES __attribute__((cleanup(certificates_free))) struct certificates

#endif
