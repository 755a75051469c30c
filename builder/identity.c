/* SPDX-License-Identifier: MIT */
#include "builder/identity.h"

#include <string.h>

#include "builder/layout.h"
#include "core/error.h"
#include "core/hash.h"

#define ALNUM          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define LONGEST_SUFFIX "__verity_sig"

static int check(
	const char *what, const char *text, const char *allowed, const char *not_first)
{
	if (!*text)
		return error_usage("the image %s is empty", what);
	if (text[strspn(text, allowed)])
		return error_usage("image %s '%s': a character other than %s%s", what,
			text, "letters, digits and ", allowed + strlen(ALNUM));
	if (strchr(not_first, text[0]))
		return error_usage(
			"image %s '%s': begins with '%c'", what, text, text[0]);
	return 0;
}

int identity_check(const struct identity *i)
{
	/* '_' separates id and version, '+' the boot counter. */
	int r = check("id", i->id, ALNUM "._-", ".-");
	if (r == 0)
		r = check("version", i->version, ALNUM ".~^-", "-");
	size_t room = LAYOUT_LABEL - sizeof LONGEST_SUFFIX;
	if (r == 0 && strlen(i->id) + strlen(i->version) > room)
		return error_usage(
			"image id '%s' and version '%s': together more than the "
			"%zu characters that fit a partition label",
			i->id, i->version, room);
	return r;
}

static int derive(const struct identity *i, const char *purpose, const char *version,
	uint8_t digest[32])
{
	/* Each text with its NUL, so that no two lists of texts are the same bytes. */
	const struct span parts[] = {
		span_of("cairn", sizeof "cairn"),
		span_of(purpose, strlen(purpose) + 1),
		span_of(i->id, strlen(i->id) + 1),
		span_of(version, strlen(version) + 1),
		span_of(i->seed, strlen(i->seed) + 1),
	};
	return hash_parts(HASH_SHA256, parts, sizeof parts / sizeof parts[0], digest);
}

int identity_uuid(const struct identity *i, const char *purpose, bool with_version,
	uint8_t uuid[16])
{
	uint8_t digest[32];
	int r = derive(i, purpose, with_version ? i->version : "", digest);
	if (r < 0)
		return r;
	memcpy(uuid, digest, 16);
	uuid[6] = (uint8_t)(0x80 | (uuid[6] & 0x0f)); /* version 8: hashed our own way */
	uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3f)); /* the variant of RFC 9562 */
	return 0;
}

int identity_salt(const struct identity *i, uint8_t salt[IDENTITY_SALT_SIZE])
{
	return derive(i, "salt", "", salt);
}
