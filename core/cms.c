/* SPDX-License-Identifier: MIT */
#include "core/cms.h"

#include <errno.h>

#include "core/der.h"

#define OID(text)                                         \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

/* 1.2.840.113549.1.7.1 and .2 */
static const struct span oid_data = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01");
static const struct span oid_signed_data = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");

/* 2.16.840.1.101.3.4.2.1 */
static const struct span oid_sha256 = OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01");

/* rsaEncryption, sha256WithRSAEncryption, ecdsa-with-SHA256 (RFC 3370, 5754, 5753) */
static const struct {
	struct span oid;
	enum key_kind kind;
} kinds[] = {
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), KEY_RSA},
	{OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), KEY_RSA},
	{OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), KEY_ECDSA},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

/* The OID of an AlgorithmIdentifier whose parameters are absent or NULL. */
static bool take_algorithm(struct span *in, struct span *oid)
{
	struct span algorithm, nothing;
	return der_take(in, DER_SEQUENCE, &algorithm) &&
	       der_take(&algorithm, DER_OID, oid) &&
	       (algorithm.size == 0 ||
		       (der_only(algorithm, DER_NULL, &nothing) && nothing.size == 0));
}

/* What is wrong with a message, or NULL. */
typedef const char *fault;

/* The one fault that is no matter of form. */
static const char weak[] = "signed with another digest than SHA-256";

static fault parse_issuer(struct cms *cms, struct span *in)
{
	struct span both;
	struct der issuer;
	if (!der_take(in, DER_SEQUENCE, &both) || !der_is(both, DER_SEQUENCE) ||
		!der_next(&both, &issuer) || !der_take_integer(&both, &cms->serial) ||
		both.size)
		return "the signer's name";
	cms->issuer = issuer.raw;
	return NULL;
}

static fault parse_kind(struct cms *cms, struct span *in)
{
	struct span oid;
	if (!take_algorithm(in, &oid))
		return "the kind of signature";
	for (size_t i = 0; i < N_KINDS; i++)
		if (der_equal(oid, kinds[i].oid)) {
			cms->kind = kinds[i].kind;
			return NULL;
		}
	return "unknown kind of signature";
}

/* RFC 2315, 9.2. DIGEST is the one algorithm that the message announced. */
static fault parse_signer(struct cms *cms, struct span in, struct span digest)
{
	struct der algorithm;
	if (!der_take_version(&in, 1))
		return "unknown version of the signer";
	fault what = parse_issuer(cms, &in);
	if (what)
		return what;
	if (!der_next(&in, &algorithm) || !der_equal(algorithm.raw, digest))
		return "two digests";
	if (der_is(in, DER_CONTEXT_0))
		return "signed attributes";
	what = parse_kind(cms, &in);
	if (what)
		return what;
	if (!der_take(&in, DER_OCTET_STRING, &cms->signature))
		return "no signature";
	return in.size ? "unsigned attributes" : NULL;
}

/* RFC 2315, 9.1 */
static fault parse_signed_data(struct cms *cms, struct span in)
{
	struct span digest, content, oid, signers, signer;
	if (!der_take_version(&in, 1))
		return "unknown version";
	if (!der_take(&in, DER_SET, &digest))
		return "no digests";
	struct span algorithm = digest;
	if (!take_algorithm(&algorithm, &oid) || algorithm.size)
		return "not one digest";
	if (!der_equal(oid, oid_sha256))
		return weak;
	if (!der_take(&in, DER_SEQUENCE, &content) ||
		!der_take(&content, DER_OID, &oid) || !der_equal(oid, oid_data) ||
		content.size)
		return "not detached, or not of data";
	if (der_is(in, DER_CONTEXT_0) &&
		(!der_take(&in, DER_CONTEXT_0, &cms->certificates) ||
			cms->certificates.size == 0))
		return "certificates";
	if (!der_only(in, DER_SET, &signers))
		return "revocation lists, or no signers";
	if (!der_only(signers, DER_SEQUENCE, &signer))
		return "not one signer";
	return parse_signer(cms, signer, digest);
}

int cms_parse(struct cms *cms, struct span der, const char *name)
{
	struct span in, oid, wrapped, body;
	*cms = (struct cms){.kind = KEY_RSA};
	if (!der_only(der, DER_SEQUENCE, &in) || !der_take(&in, DER_OID, &oid) ||
		!der_equal(oid, oid_signed_data) ||
		!der_only(in, DER_CONTEXT_0, &wrapped) ||
		!der_only(wrapped, DER_SEQUENCE, &body))
		return error_format("%s: not signed data of PKCS#7 in DER", name);
	fault what = parse_signed_data(cms, body);
	if (what == weak)
		return error_set(STATUS_TRUST, EKEYREJECTED, "%s: %s", name, what);
	return what ? error_format("%s: unsupported PKCS#7: %s", name, what) : 0;
}

bool cms_names(const struct cms *cms, const struct pin *pin)
{
	return der_equal(cms->issuer, pin->issuer) && der_equal(cms->serial, pin->serial);
}

int cms_verify(
	const struct cms *cms, const struct pin *pin, struct span data, const char *name)
{
	uint8_t digest[PUBLIC_KEY_DIGEST_SIZE];
	if (cms->kind != pin->key.kind)
		return error_format(
			"%s: a kind of signature that %s cannot make", name, pin->name);
	if (cms->certificates.size &&
		!der_equal(cms->certificates, buffer_span(&pin->der)))
		return error_format(
			"%s: carries a certificate that is not %s", name, pin->name);
	public_key_digest(data, digest);
	if (!public_key_verify(&pin->key, digest, cms->signature))
		return error_set(STATUS_TRUST, EKEYREJECTED,
			"%s: the signature was not made with the key of %s", name,
			pin->name);
	return 0;
}
