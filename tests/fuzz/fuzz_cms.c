/* SPDX-License-Identifier: MIT */
/*
 * The input as PKCS#7 over tests/golden/cms/hash, and as a certificate. What the walker
 * that PID 1 has accepts, OpenSSL must accept with the same pinned certificates, and read
 * the same out of it.
 */
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/cms.h"
#include "core/file.h"
#include "core/signature.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char hash[] =
	"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c";
static const char *const files[] = {"tests/golden/cms/rsa2048.crt",
	"tests/golden/cms/rsa4096.crt", "tests/golden/cms/p256.crt",
	"tests/golden/cms/p384.crt", "tests/golden/cms/p521.crt"};
#define N_FILES (sizeof files / sizeof files[0])

static struct pin pins[N_FILES];
static struct certificates certificates;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < N_FILES; i++) {
		BUFFER bytes = {0};
		if (file_slurp(files[i], 65536, &bytes) < 0 ||
			pin_parse(&pins[i], buffer_span(&bytes), files[i]) < 0 ||
			certificates_add(&certificates, files[i]) < 0 ||
			strcmp(pins[i].fingerprint, certificates.items[i].fingerprint))
			abort();
	}
	return 0;
}

static void compare_message(struct span der)
{
	struct cms cms;
	if (cms_parse(&cms, der, "input") < 0)
		return;
	for (size_t i = 0; i < N_FILES; i++) {
		const struct certificate *by = NULL;
		AUTO_SIGNATURE s = {0};
		if (!cms_names(&cms, &pins[i]) ||
			cms_verify(&cms, &pins[i], span_of(hash, 64), "input") < 0)
			continue;
		strcpy(s.root_hash, hash);
		strcpy(s.fingerprint, pins[i].fingerprint);
		if (buffer_append(&s.pkcs7, der.data, der.size) < 0 ||
			signature_verify(&s, "input", &certificates, PURPOSE_ROOT, &by) <
				0 ||
			by != &certificates.items[i])
			abort();
	}
}

/* PIN and X509 were read from the same bytes. */
static void compare_certificate(const struct pin *pin, X509 *x509)
{
	struct certificate c = {.x509 = x509, .name = (char[]){"input"}};
	const uint8_t *issuer;
	size_t n_issuer;
	uint8_t *serial = NULL;
	if (!X509_NAME_get0_der(X509_get_issuer_name(x509), &issuer, &n_issuer) ||
		n_issuer != pin->issuer.size ||
		memcmp(issuer, pin->issuer.data, n_issuer) != 0)
		abort();
	int n = i2d_ASN1_INTEGER(X509_get_serialNumber(x509), &serial);
	/* Behind tag and length, which is short for what fits below. */
	if (n <= 0 ||
		(pin->serial.size < 128 &&
			((size_t)n != 2 + pin->serial.size ||
				memcmp(serial + 2, pin->serial.data, (size_t)n - 2))))
		abort();
	OPENSSL_free(serial);
	for (int i = 0; i < N_PURPOSES; i++)
		if (pin_is_for(pin, (enum purpose)i) &&
			certificate_check_purpose(&c, (enum purpose)i) < 0)
			abort();
	EVP_PKEY *key = X509_get0_pubkey(x509);
	if (key && EVP_PKEY_get_base_id(key) !=
			   (pin->key.kind == KEY_RSA ? EVP_PKEY_RSA : EVP_PKEY_EC))
		abort();
}

static void try_certificate(struct span der)
{
	struct pin pin;
	const uint8_t *end = der.data;
	X509 *x509 = NULL;
	if (pin_parse(&pin, der, "input") == 0 && pin.der.size == der.size)
		x509 = d2i_X509(NULL, &end, (long)der.size);
	if (x509)
		compare_certificate(&pin, x509);
	X509_free(x509);
	pin_free(&pin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	compare_message(span_of(data, size));
	try_certificate(span_of(data, size));
	return 0;
}
