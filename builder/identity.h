/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_IDENTITY_H
#define CAIRN_BUILDER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_SALT_SIZE 32

/*
 * What an image is called. All UUIDs and the salt follow from these three texts, so that
 * nothing random gets into an image. The strings are owned by the caller.
 */
struct identity {
	const char *id;      /* letters, digits, '.', '_', '-'; not '.' or '-' first */
	const char *version; /* letters, digits, '.', '~', '^', '-'; not '-' first */
	const char *seed;    /* any text; may be "" */
};

/*
 * Refuses (STATUS_USAGE) what cannot be part of a file name on the ESP, of a partition
 * label of 36 characters ("ID_VERSION_verity_sig"), or of a boot counter.
 */
int identity_check(const struct identity *i);

/*
 * A UUID (version 8, RFC 9562) from the identity and PURPOSE, in RFC 9562's order. With
 * WITH_VERSION false it is the same for all versions of the image.
 */
int identity_uuid(const struct identity *i, const char *purpose, bool with_version,
	uint8_t uuid[16]);

/*
 * The verity salt. It does not depend on the version: equal blocks of two versions then
 * have equal hashes, which keeps differences between their trees small.
 */
int identity_salt(const struct identity *i, uint8_t salt[IDENTITY_SALT_SIZE]);

#endif
