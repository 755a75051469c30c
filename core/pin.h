/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PIN_H
#define CAIRN_CORE_PIN_H

#include "core/buffer.h"
#include "core/public_key.h"
#include "core/purpose.h"

/*
 * A pinned certificate, for programs that OpenSSL is too large for: of X.509 only what
 * core/certificate.h's kind of trust looks at, which is issuer, serial number, public key
 * and extended key usage. Nothing else in it is believed, or checked.
 */
#define PIN_MAX_SIZE              65536
#define PIN_FINGERPRINT_TEXT_SIZE 65
#define PIN_NAME_SIZE             288

struct pin {
	struct buffer der;  /* owned; the spans point into it */
	struct span issuer; /* the whole Name, compared by its bytes */
	struct span serial; /* the INTEGER's contents */
	struct public_key key;
	unsigned purposes; /* those that it carries, 1 << PURPOSE each; 0: none of ours */
	char fingerprint[PIN_FINGERPRINT_TEXT_SIZE]; /* SHA-256 of its DER, in hex */
	char name[PIN_NAME_SIZE];                    /* of its file, for messages */
};

/*
 * Reads exactly one certificate, PEM or DER, from the bytes FILE.
 *   -EKEYREJECTED, STATUS_TRUST   its key is too weak (core/public_key.h)
 *   -EINVAL, STATUS_FORMAT        anything else is wrong with it
 * The pin is to be freed in either case.
 */
int pin_parse(struct pin *pin, struct span file, const char *name);
void pin_free(struct pin *pin);

/* Whether it is good for PURPOSE: it carries that, or no purpose of ours at all. */
bool pin_is_for(const struct pin *pin, enum purpose purpose);

#endif
