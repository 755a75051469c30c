/* SPDX-License-Identifier: MIT */
/* PKCS#7 and X.509 without OpenSSL, over the files of tests/golden/cms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/cms.h"
#include "core/file.h"
#include "initrd/compose/anchors.h"

static const char hash[] =
	"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c";

static void load(const char *name, struct buffer *bytes)
{
	char path[256];
	const char *top = getenv("CAIRN_TOP");
	snprintf(path, sizeof path, "%s/tests/golden/cms/%s", top ? top : ".", name);
	if (file_slurp(path, 65536, bytes) < 0)
		fail_msg("%s", error_text());
}

static int load_pin(struct pin *pin, const char *name)
{
	BUFFER bytes = {0};
	load(name, &bytes);
	return pin_parse(pin, buffer_span(&bytes), name) < 0 ? (int)error_status() : 0;
}

/* The status of verifying DER, named NAME, by PIN over TEXT. */
static int verify(struct span der, const struct pin *pin, const char *text)
{
	struct cms cms;
	int r = cms_parse(&cms, der, "message");
	if (r == 0 && !cms_names(&cms, pin))
		return STATUS_TRUST;
	if (r == 0)
		r = cms_verify(&cms, pin, span_of(text, strlen(text)), "message");
	return r < 0 ? (int)error_status() : 0;
}

static int verify_file(const char *message, const char *certificate)
{
	BUFFER der = {0};
	struct pin pin;
	load(message, &der);
	assert_int_equal(load_pin(&pin, certificate), 0);
	int status = verify(buffer_span(&der), &pin, hash);
	pin_free(&pin);
	return status;
}

static const struct {
	const char *message, *certificate;
} good[] = {{"good-rsa2048.p7s", "rsa2048.crt"}, {"good-rsa4096.p7s", "rsa4096.crt"},
	{"good-p256.p7s", "p256.crt"}, {"good-p384.p7s", "p384.crt"},
	{"good-p521.p7s", "p521.crt"}, {"good-rsa2048-embedded.p7s", "rsa2048.crt"},
	{"good-p256-embedded.p7s", "p256.crt"}};
#define N_GOOD (sizeof good / sizeof good[0])

static void messages_of_openssl_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GOOD; i++)
		if (verify_file(good[i].message, good[i].certificate) != 0)
			fail_msg("%s: %s", good[i].message, error_text());
}

static void other_forms_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *message, *certificate;
		int status;
		const char *says;
	} bad[] = {
		{"bad-attributes.p7s", "rsa2048.crt", STATUS_FORMAT, "signed attributes"},
		{"bad-sha1.p7s", "rsa2048.crt", STATUS_TRUST,
			"another digest than SHA-256"},
		{"bad-sha512.p7s", "rsa2048.crt", STATUS_TRUST,
			"another digest than SHA-256"},
		{"bad-embedded-two.p7s", "p256.crt", STATUS_FORMAT,
			"a certificate that is not"},
		{"bad-attached.p7s", "rsa2048.crt", STATUS_FORMAT, "not detached"},
		{"bad-two-signers.p7s", "rsa2048.crt", STATUS_FORMAT, "not one"},
		{"bad-keyid.p7s", "rsa2048.crt", STATUS_FORMAT, "version"},
		{"good-rsa2048.p7s", "rsa4096.crt", STATUS_TRUST, NULL},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(
			verify_file(bad[i].message, bad[i].certificate), bad[i].status);
		if (bad[i].says && !strstr(error_text(), bad[i].says))
			fail_msg("%s: %s", bad[i].message, error_text());
	}
}

static void weak_keys_are_refused(void **state)
{
	(void)state;
	static const char *const weak[] = {
		"weak-rsa1024.crt", "weak-secp256k1.crt", "weak-ed25519.crt"};
	for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
		struct pin pin;
		assert_int_equal(load_pin(&pin, weak[i]), STATUS_TRUST);
		pin_free(&pin);
	}
}

/* No other byte string is the message: not with one bit flipped, not cut, not longer. */
static void every_bit_counts(void **state)
{
	(void)state;
	/* With RSA of 2048 bits: the larger keys say nothing new, and take their time. */
	for (size_t i = 0; i < N_GOOD; i++) {
		BUFFER der = {0};
		struct pin pin;
		if (i > 0 && !getenv("CAIRN_LONG") && i != 2 && i != 5)
			continue;
		load(good[i].message, &der);
		assert_int_equal(load_pin(&pin, good[i].certificate), 0);
		assert_int_equal(verify(buffer_span(&der), &pin, hash), 0);
		for (size_t bit = 0; bit < 8 * der.size; bit++) {
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (verify(buffer_span(&der), &pin, hash) == 0)
				fail_msg("%s: accepted with bit %zu flipped",
					good[i].message, bit);
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t size = 0; size < der.size; size++)
			assert_int_not_equal(
				verify(span_of(der.data, size), &pin, hash), 0);
		assert_int_equal(buffer_append(&der, "", 1), 0);
		assert_int_equal(verify(buffer_span(&der), &pin, hash), STATUS_FORMAT);
		der.size--;
		assert_int_equal(verify(buffer_span(&der), &pin, "x"), STATUS_TRUST);
		assert_int_equal(verify(buffer_span(&der), &pin, hash), 0);
		pin_free(&pin);
	}
}

/* What systemd-repart writes goes through the whole of it. */
static void partition_of_repart_is_accepted(void **state)
{
	(void)state;
	BUFFER json = {0};
	struct pin pin;
	load("repart.json", &json);
	assert_int_equal(load_pin(&pin, "repart.crt"), 0);
	struct anchors anchors = {0};
	anchors.pins[PURPOSE_SYSEXT] = (struct anchors_pins){&pin, 1};
	struct signer_id by = {0};
	const char *root_hash =
		"874443a94b815530789948c4cce2d320cbbf4d2bf6b991f50a2cf372b736a2ac";
	assert_int_equal(anchors_check(&anchors, PURPOSE_SYSEXT, "x", root_hash,
				 buffer_span(&json), &by),
		0);
	assert_ptr_equal(by.pin, &pin);
	assert_int_equal(buffer_append_zeros(&json, 4096), 0);
	assert_int_equal(anchors_check(&anchors, PURPOSE_SYSEXT, "x", root_hash,
				 buffer_span(&json), &by),
		0);
	assert_true(anchors_check(&anchors, PURPOSE_SYSEXT, "x", hash, buffer_span(&json),
			    &by) < 0);
	pin_free(&pin);
}

/* Cut short, and with one bit flipped, a certificate may be none: it must not crash. */
static void certificates_are_bounded(void **state)
{
	(void)state;
	static const char *const names[] = {"rsa2048.crt", "p384.crt"};
	for (size_t i = 0; i < 2; i++) {
		BUFFER der = {0};
		struct pin pin;
		load(names[i], &der);
		for (size_t size = 0; size < der.size; size++) {
			assert_true(pin_parse(&pin, span_of(der.data, size), "x") < 0);
			pin_free(&pin);
		}
		for (size_t bit = 0; bit < 8 * der.size; bit++) {
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			(void)!pin_parse(&pin, buffer_span(&der), "x");
			pin_free(&pin);
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_openssl_are_accepted),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(weak_keys_are_refused),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(partition_of_repart_is_accepted),
		cmocka_unit_test(certificates_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
