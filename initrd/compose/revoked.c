/* SPDX-License-Identifier: MIT */
#include "initrd/compose/revoked.h"

#include <string.h>

#include "core/hex.h"
#include "initrd/compose/lines.h"

#define HASH_BYTES 32
#define HEX_SIZE   (2 * HASH_BYTES + 1)

enum kind {
	KIND_CERTIFICATE,
	KIND_SERIAL,
	KIND_ROOT_HASH,
	N_KINDS,
};

static const char *const kinds[] = {"certificate", "serial", "roothash"};

struct entry {
	enum kind kind;
	struct span hash;   /* hex */
	struct span serial; /* hex without leading zeros; KIND_SERIAL only */
};

static struct span without_zeros(struct span hex)
{
	while (hex.size && hex.data[0] == '0')
		hex = span_of(hex.data + 1, hex.size - 1);
	return hex;
}

static bool parse(struct span line, struct entry *e)
{
	struct span word;
	if (!lines_word(&line, &word))
		return false;
	for (e->kind = 0; e->kind < N_KINDS && !lines_equal(word, kinds[e->kind]);)
		e->kind++;
	if (e->kind == N_KINDS || !lines_word(&line, &e->hash) ||
		!lines_hex(e->hash, HASH_BYTES))
		return false;
	if (e->kind == KIND_SERIAL) {
		if (!lines_word(&line, &e->serial) || !lines_hex(e->serial, 0))
			return false;
		e->serial = without_zeros(e->serial);
	}
	return line.size == 0;
}

int revoked_check(struct span text, const char *name)
{
	struct span line;
	struct entry e;
	for (unsigned number = 0; lines_next(&text, &line, &number);)
		if (!parse(line, &e))
			return error_format("%s: line %u is no revocation", name, number);
	return 0;
}

/* Whether the list has HASH, a string of hex, as KIND. */
static bool has(struct span text, enum kind kind, const char *hash)
{
	struct span line;
	struct entry e;
	for (unsigned number = 0; lines_next(&text, &line, &number);)
		if (parse(line, &e) && e.kind == kind && lines_equal(e.hash, hash))
			return true;
	return false;
}

/* Whether HEX, without leading zeros, spells the bytes of NUMBER. */
static bool spells(struct span hex, struct span number)
{
	static const char digits[] = "0123456789abcdef";
	size_t skip = 0;
	while (skip < 2 * number.size &&
		(number.data[skip / 2] >> (skip % 2 ? 0 : 4) & 15) == 0)
		skip++;
	if (hex.size != 2 * number.size - skip)
		return false;
	for (size_t i = 0; i < hex.size; i++) {
		size_t at = skip + i;
		unsigned value = number.data[at / 2] >> (at % 2 ? 0 : 4) & 15;
		if (hex.data[i] != (uint8_t)digits[value])
			return false;
	}
	return true;
}

static bool has_serial(struct span text, struct span issuer, struct span serial)
{
	uint8_t digest[PUBLIC_KEY_DIGEST_SIZE];
	char hash[HEX_SIZE];
	struct span line;
	struct entry e;
	public_key_digest(issuer, digest);
	hex_encode(digest, sizeof digest, hash);
	for (unsigned number = 0; lines_next(&text, &line, &number);)
		if (parse(line, &e) && e.kind == KIND_SERIAL &&
			lines_equal(e.hash, hash) && spells(e.serial, serial))
			return true;
	return false;
}

bool revoked_root_hash(struct span text, const char *root_hash)
{
	return has(text, KIND_ROOT_HASH, root_hash);
}

bool revoked_pin(struct span text, const struct pin *pin)
{
	return has(text, KIND_CERTIFICATE, pin->fingerprint) ||
	       has_serial(text, pin->issuer, pin->serial);
}

bool revoked_signer(struct span text, const struct cms *cms)
{
	return has_serial(text, cms->issuer, cms->serial);
}
