/* SPDX-License-Identifier: MIT */
#include "core/pkcs7.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "core/openssl.h"
#include "core/signer.h"

PKCS7 *pkcs7_new(const struct certificate *certificate, struct span signature)
{
	PKCS7 *p7 = PKCS7_new();
	PKCS7_SIGNER_INFO *si = PKCS7_SIGNER_INFO_new();
	EVP_PKEY *key = X509_get0_pubkey(certificate->x509);
	if (p7 && si && PKCS7_set_type(p7, NID_pkcs7_signed) &&
		PKCS7_SIGNER_INFO_set(si, certificate->x509, key, EVP_sha256()) &&
		ASN1_STRING_set(si->enc_digest, signature.data, (int)signature.size) &&
		PKCS7_add_signer(p7, si))
		return p7;
	PKCS7_SIGNER_INFO_free(si);
	PKCS7_free(p7);
	openssl_error(STATUS_FAILED, "%s: cannot make PKCS#7", certificate->name);
	return NULL;
}

PKCS7_SIGNER_INFO *pkcs7_signer(const PKCS7 *p7)
{
	return sk_PKCS7_SIGNER_INFO_value(p7->d.sign->signer_info, 0);
}

/* Algorithms have no parameters, or NULL: nothing else is covered by any signature. */
static bool is_plain(const X509_ALGOR *algorithm)
{
	int type;
	X509_ALGOR_get0(NULL, &type, NULL, algorithm);
	return type == V_ASN1_NULL || type == V_ASN1_UNDEF;
}

static int algorithm_nid(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *oid;
	X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
	return OBJ_obj2nid(oid);
}

static bool is_sha2(int nid)
{
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/* What is wrong with the message, or NULL. */
static const char *find_fault(PKCS7 *p7)
{
	if (!PKCS7_type_is_signed(p7) || !p7->d.sign || !p7->d.sign->contents)
		return "not signed data";
	const PKCS7_SIGNED *sign = p7->d.sign;
	if (sk_PKCS7_SIGNER_INFO_num(sign->signer_info) != 1 ||
		sk_X509_ALGOR_num(sign->md_algs) != 1)
		return "not one signature";
	if (sign->crl)
		return "revocation lists inside";
	const PKCS7_SIGNER_INFO *si = pkcs7_signer(p7);
	if (ASN1_INTEGER_get(sign->version) != 1 || ASN1_INTEGER_get(si->version) != 1)
		return "unknown version";
	if (si->unauth_attr)
		return "unsigned attributes";
	const X509_ALGOR *digest = sk_X509_ALGOR_value(sign->md_algs, 0);
	if (X509_ALGOR_cmp(digest, si->digest_alg) || !is_plain(digest) ||
		!is_sha2(algorithm_nid(digest)))
		return "no SHA-2 digest";
	return is_plain(si->digest_enc_alg) ? NULL : "unknown kind of signature";
}

int pkcs7_parse(struct span der, const char *name, PKCS7 **p7p)
{
	*p7p = NULL;
	const uint8_t *end = der.data;
	AUTO(pkcs7, PKCS7) *p7 = d2i_PKCS7(NULL, &end, (long)der.size);
	if (!p7)
		return openssl_error(STATUS_FORMAT, "%s: malformed PKCS#7", name);
	BUFFER again = {0};
	int r = DER_APPEND(&again, i2d_PKCS7, p7);
	if (r < 0)
		return r;
	/* One message has one encoding: no second form of it may slip by. */
	if (again.size != der.size || memcmp(again.data, der.data, der.size) != 0)
		return error_format("%s: PKCS#7 that is not in DER", name);
	const char *fault = find_fault(p7);
	ERR_clear_error();
	if (fault)
		return error_format("%s: unsupported PKCS#7: %s", name, fault);
	*p7p = p7;
	p7 = NULL;
	return 0;
}

/* The issuer is compared by its encoding: X509_NAME_cmp folds case. */
static bool is_signer(const PKCS7_SIGNER_INFO *si, const struct certificate *c)
{
	const uint8_t *a, *b;
	size_t n_a, n_b;
	const X509_NAME *issuer = X509_get_issuer_name(c->x509);
	if (!X509_NAME_get0_der(si->issuer_and_serial->issuer, &a, &n_a) ||
		!X509_NAME_get0_der(issuer, &b, &n_b))
		return false;
	return n_a == n_b && memcmp(a, b, n_a) == 0 &&
	       ASN1_INTEGER_cmp(si->issuer_and_serial->serial,
		       X509_get0_serialNumber(c->x509)) == 0;
}

/* Whether the signature says it is of the kind that the certificate's key makes. */
static bool is_kind_of(const PKCS7_SIGNER_INFO *si, const struct certificate *c)
{
	int digest, key, nid = algorithm_nid(si->digest_enc_alg);
	int wanted = EVP_PKEY_get_base_id(X509_get0_pubkey(c->x509));
	if (nid == NID_rsaEncryption)
		return wanted == EVP_PKEY_RSA;
	if (!OBJ_find_sigid_algs(nid, &digest, &key) ||
		digest != algorithm_nid(si->digest_alg))
		return false;
	return wanted == (key == NID_X9_62_id_ecPublicKey ? EVP_PKEY_EC : key);
}

static int verify_by(const PKCS7_SIGNER_INFO *si, struct span data, const char *name,
	const struct certificate *c, enum purpose purpose)
{
	if (!is_kind_of(si, c))
		return error_format(
			"%s: a kind of signature that %s cannot make", name, c->name);
	int r = certificate_check_purpose(c, purpose);
	if (r == 0)
		r = signer_verify(c, OBJ_nid2sn(algorithm_nid(si->digest_alg)), data,
			span_of(ASN1_STRING_get0_data(si->enc_digest),
				(size_t)ASN1_STRING_length(si->enc_digest)));
	return r < 0 ? error_context(r, "%s", name) : 0;
}

int pkcs7_verify(const PKCS7 *p7, struct span data, const char *name,
	const struct certificates *pins, enum purpose purpose,
	const struct certificate **by)
{
	const PKCS7_SIGNER_INFO *si = pkcs7_signer(p7);
	int r = error_set(STATUS_TRUST, EKEYREJECTED,
		"%s: signed by a certificate that is not among the %zu trusted", name,
		pins->n_items);
	/* Renewed certificates may share issuer and serial with what they replace. */
	for (size_t i = 0; r < 0 && i < pins->n_items; i++) {
		if (!is_signer(si, &pins->items[i]))
			continue;
		r = verify_by(si, data, name, &pins->items[i], purpose);
		if (r == 0)
			*by = &pins->items[i];
	}
	return r;
}
