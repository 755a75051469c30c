/* SPDX-License-Identifier: MIT */
#include "core/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/interrupt.h"
#include "core/openssl.h"
#include "core/output.h"
#include "core/path.h"

#define KEY_BITS 3072 /* NIST SP 800-57: 128 bits of strength */
#define KEY_DAYS 3652

/* RFC 5280: positive and of at most 20 bytes. */
static int set_serial(X509 *x509)
{
	uint8_t bytes[20];
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return -1;
	bytes[0] = (bytes[0] & 0x7f) | 0x40;
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	ASN1_INTEGER *serial = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	int good = serial && X509_set_serialNumber(x509, serial);
	ASN1_INTEGER_free(serial);
	BN_free(number);
	return good ? 0 : -1;
}

/* The name says what the key is for and tells it from others of its purpose. */
static int set_name(X509 *x509, enum purpose purpose)
{
	uint8_t id[20];
	char hex[2 * sizeof id + 1], text[64];
	unsigned size = sizeof id;
	if (!X509_pubkey_digest(x509, EVP_sha1(), id, &size))
		return -1;
	snprintf(text, sizeof text, "Cairn %s key %.8s", purpose_name(purpose),
		hex_encode(id, sizeof id, hex));
	X509_NAME *name = X509_get_subject_name(x509);
	return X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC, (uint8_t *)text, -1, -1, 0) &&
			       X509_set_issuer_name(x509, name)
		       ? 0
		       : -1;
}

/*
 * codeSigning is there for verifiers that insist on a usage they know; the purpose is
 * what Cairn looks at.
 */
static int set_extensions(X509 *x509, enum purpose purpose)
{
	char usage[128];
	snprintf(usage, sizeof usage, "codeSigning,%s", purpose_oid(purpose));
	const struct {
		int nid;
		const char *value;
	} extensions[] = {
		{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"},
		{NID_ext_key_usage, usage},
		{NID_subject_key_identifier, "hash"},
		{NID_authority_key_identifier, "keyid:always"},
	};
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(
			NULL, &ctx, extensions[i].nid, extensions[i].value);
		int good = e && X509_add_ext(x509, e, -1);
		X509_EXTENSION_free(e);
		if (!good)
			return -1;
	}
	return 0;
}

/* A self-signed certificate for KEY. NULL if OpenSSL could not. */
static X509 *certify(EVP_PKEY *key, enum purpose purpose)
{
	X509 *x509 = X509_new();
	if (x509 && X509_set_version(x509, X509_VERSION_3) &&
		X509_set_pubkey(x509, key) &&
		X509_gmtime_adj(X509_getm_notBefore(x509), 0) &&
		X509_time_adj_ex(X509_getm_notAfter(x509), KEY_DAYS, 0, NULL) &&
		set_serial(x509) == 0 && set_name(x509, purpose) == 0 &&
		set_extensions(x509, purpose) == 0 && X509_sign(x509, key, EVP_sha256()))
		return x509;
	X509_free(x509);
	return NULL;
}

/* Opens DIR/PURPOSE.SUFFIX and writes into it what BIO holds. */
static int prepare(struct output *o, const char *dir, enum purpose purpose,
	const char *suffix, mode_t mode, bool replace, BIO *bio)
{
	char *path = NULL, *data;
	if (asprintf(&path, "%s/%s.%s", dir, purpose_name(purpose), suffix) < 0)
		return error_memory();
	int r = output_open(o, path, mode, replace);
	free(path);
	long size = BIO_get_mem_data(bio, &data);
	if (r == 0)
		r = file_write(&o->file, data, (size_t)size, 0);
	return r;
}

static int save(const char *dir, enum purpose purpose, bool replace, BIO *key, BIO *crt)
{
	struct output outputs[] = {OUTPUT_CLOSED, OUTPUT_CLOSED};
	int r = path_make_dirs(dir, 0755);
	if (r == 0)
		r = prepare(&outputs[0], dir, purpose, "key", 0600, replace, key);
	if (r == 0)
		r = prepare(&outputs[1], dir, purpose, "crt", 0644, replace, crt);
	if (r == 0)
		r = interrupt_check();
	if (r == 0)
		r = output_commit_all(outputs, 2);
	output_close(&outputs[0]);
	output_close(&outputs[1]);
	return r;
}

int key_make(const char *dir, enum purpose purpose, bool replace)
{
	AUTO(pkey, EVP_PKEY) *key = EVP_RSA_gen(KEY_BITS);
	AUTO(x509, X509) *x509 = key ? certify(key, purpose) : NULL;
	AUTO(bio, BIO) *key_text = BIO_new(BIO_s_secmem());
	AUTO(bio, BIO) *crt_text = BIO_new(BIO_s_mem());
	if (!x509 || !key_text || !crt_text ||
		!PEM_write_bio_PKCS8PrivateKey(
			key_text, key, NULL, NULL, 0, NULL, NULL) ||
		!PEM_write_bio_X509(crt_text, x509))
		return openssl_error(STATUS_FAILED, "cannot make a key");
	return save(dir, purpose, replace, key_text, crt_text);
}
