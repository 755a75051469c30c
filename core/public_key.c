/* SPDX-License-Identifier: MIT */
#include "core/public_key.h"

#include <bearssl/bearssl_ec.h>
#include <bearssl/bearssl_hash.h>
#include <bearssl/bearssl_rsa.h>
#include <errno.h>
#include <string.h>

#include "core/der.h"

/* NIST SP 800-131A asks for 2048; BearSSL is built for at most 4096. */
#define RSA_BITS_MIN       2048
#define RSA_BITS_MAX       4096
#define RSA_EXPONENT_BYTES 8

#define OID(text)                                         \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

/* 1.2.840.113549.1.1.1 and 1.2.840.10045.2.1 */
static const struct span oid_rsa = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct span oid_ec = OID("\x2a\x86\x48\xce\x3d\x02\x01");

static const struct {
	struct span oid;
	int number;
	size_t bytes; /* of a coordinate, and of the group's order */
} curves[] = {
	{OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), BR_EC_secp256r1, 32},
	{OID("\x2b\x81\x04\x00\x22"), BR_EC_secp384r1, 48},
	{OID("\x2b\x81\x04\x00\x23"), BR_EC_secp521r1, 66},
};
#define N_CURVES    (sizeof curves / sizeof curves[0])
#define CURVE_BYTES 66

static int malformed(const char *name)
{
	return error_format("%s: malformed public key", name);
}

static int too_weak(const char *name, const char *reason)
{
	return error_set(STATUS_TRUST, EKEYREJECTED, "%s: %s", name, reason);
}

static unsigned count_bits(struct span number)
{
	unsigned bits = (unsigned)number.size * 8;
	for (uint8_t top = number.data[0]; !(top & 0x80); top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

static int parse_rsa(struct public_key *key, struct span parameters, struct span bits,
	const char *name)
{
	struct span numbers, nothing;
	if (!der_only(parameters, DER_NULL, &nothing) || nothing.size ||
		!der_only(bits, DER_SEQUENCE, &numbers) ||
		!der_take_number(&numbers, &key->modulus) ||
		!der_take_number(&numbers, &key->exponent) || numbers.size)
		return malformed(name);
	unsigned size = count_bits(key->modulus);
	struct span n = key->modulus, e = key->exponent;
	if (size < RSA_BITS_MIN || size > RSA_BITS_MAX)
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: an RSA key of %u bits; %d to %d are trusted", name, size,
			RSA_BITS_MIN, RSA_BITS_MAX);
	if (!(n.data[n.size - 1] & 1) || !(e.data[e.size - 1] & 1) ||
		e.size > RSA_EXPONENT_BYTES || (e.size == 1 && e.data[0] < 3))
		return too_weak(name, "an RSA key that is none");
	key->kind = KEY_RSA;
	return 0;
}

static int parse_ec(struct public_key *key, struct span parameters, struct span bits,
	const char *name)
{
	struct span oid;
	if (!der_only(parameters, DER_OID, &oid))
		return too_weak(name, "an ECDSA key on a curve without a name");
	for (size_t i = 0; i < N_CURVES; i++) {
		if (!der_equal(oid, curves[i].oid))
			continue;
		if (bits.size != 1 + 2 * curves[i].bytes || bits.data[0] != 4)
			return malformed(name);
		key->kind = KEY_ECDSA;
		key->curve = curves[i].number;
		key->point = bits;
		return 0;
	}
	return too_weak(name, "an ECDSA key on an unapproved curve");
}

int public_key_parse(struct public_key *key, struct span spki, const char *name)
{
	struct span in, algorithm, oid, bits;
	*key = (struct public_key){.kind = KEY_RSA};
	if (!der_only(spki, DER_SEQUENCE, &in) ||
		!der_take(&in, DER_SEQUENCE, &algorithm) ||
		!der_take(&algorithm, DER_OID, &oid) || !der_take_bits(&in, &bits) ||
		in.size)
		return malformed(name);
	if (der_equal(oid, oid_rsa))
		return parse_rsa(key, algorithm, bits, name);
	if (der_equal(oid, oid_ec))
		return parse_ec(key, algorithm, bits, name);
	return too_weak(name, "neither an RSA nor an ECDSA key");
}

void public_key_digest(struct span data, uint8_t digest[PUBLIC_KEY_DIGEST_SIZE])
{
	br_sha256_context context;
	br_sha256_init(&context);
	br_sha256_update(&context, data.data, data.size);
	br_sha256_out(&context, digest);
}

/*
 * RFC 8017, 9.2: 00 01 FF... 00 and a DigestInfo, which for SHA-256 is these bytes and
 * the digest. Comparing the block as a whole leaves no room for another encoding.
 */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86,
	0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static bool verify_rsa(
	const struct public_key *key, const uint8_t *digest, struct span signature)
{
	uint8_t block[RSA_BITS_MAX / 8], wanted[RSA_BITS_MAX / 8];
	size_t size = key->modulus.size;
	const br_rsa_public_key rsa = {.n = (uint8_t *)(uintptr_t)key->modulus.data,
		.nlen = size,
		.e = (uint8_t *)(uintptr_t)key->exponent.data,
		.elen = key->exponent.size};
	if (signature.size != size || size > sizeof block)
		return false;
	memcpy(block, signature.data, size);
	if (!br_rsa_i31_public(block, size, &rsa))
		return false;
	size_t tail = sizeof digest_info + PUBLIC_KEY_DIGEST_SIZE;
	memset(wanted, 0xff, size);
	wanted[0] = 0;
	wanted[1] = 1;
	wanted[size - tail - 1] = 0;
	memcpy(wanted + size - tail, digest_info, sizeof digest_info);
	memcpy(wanted + size - PUBLIC_KEY_DIGEST_SIZE, digest, PUBLIC_KEY_DIGEST_SIZE);
	return memcmp(block, wanted, size) == 0;
}

/* NUMBER as SIZE bytes, zeros in front. */
static bool place(struct span number, uint8_t *out, size_t size)
{
	if (number.size > size)
		return false;
	memset(out, 0, size - number.size);
	memcpy(out + size - number.size, number.data, number.size);
	return true;
}

static bool verify_ecdsa(
	const struct public_key *key, const uint8_t *digest, struct span signature)
{
	uint8_t raw[2 * CURVE_BYTES];
	struct span numbers, r, s;
	size_t bytes = key->point.size / 2;
	const br_ec_public_key ec = {.curve = key->curve,
		.q = (uint8_t *)(uintptr_t)key->point.data,
		.qlen = key->point.size};
	if (!der_only(signature, DER_SEQUENCE, &numbers) ||
		!der_take_number(&numbers, &r) || !der_take_number(&numbers, &s) ||
		numbers.size || !place(r, raw, bytes) || !place(s, raw + bytes, bytes))
		return false;
	return br_ecdsa_i31_vrfy_raw(&br_ec_prime_i31, digest, PUBLIC_KEY_DIGEST_SIZE,
		       &ec, raw, 2 * bytes) == 1;
}

bool public_key_verify(const struct public_key *key,
	const uint8_t digest[PUBLIC_KEY_DIGEST_SIZE], struct span signature)
{
	return key->kind == KEY_RSA ? verify_rsa(key, digest, signature)
				    : verify_ecdsa(key, digest, signature);
}
