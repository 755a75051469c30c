/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/key.h"
#include "core/output.h"
#include "core/process.h"
#include "core/signature.h"

static char directory[] = "/tmp/cairn-signature.XXXXXX";
static const char hash[] =
	"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c";

static void run(const char *const *argv, struct buffer *output)
{
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	if (process_run(&p, output) < 0)
		fail_msg("%s", error_text());
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL}, NULL)

static int enter(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory) < 0 ||
		output_save("hash", 0600, false, span_of(hash, 64)) < 0)
		return -1;
	return key_make(".", PURPOSE_ROOT, false) ||
	       key_make(".", PURPOSE_SYSEXT, false) ||
	       key_make("other", PURPOSE_ROOT, false);
}

static int leave(void **state)
{
	(void)state;
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static void sign(struct signature *s)
{
	AUTO_SIGNER signer = {0};
	*s = (struct signature){0};
	assert_int_equal(signer_load(&signer, "root.key", "root.crt", PURPOSE_ROOT), 0);
	assert_int_equal(signature_make(s, &signer, hash), 0);
}

static int verify(const struct signature *s, const char *pin, enum purpose purpose)
{
	AUTO_CERTIFICATES pins = {0};
	if (*pin)
		assert_int_equal(certificates_add(&pins, pin), 0);
	const struct certificate *by = NULL;
	int r = signature_verify(s, "test", &pins, purpose, &by);
	assert_true(r < 0 ? !by : by == &pins.items[pins.n_items - 1]);
	return r < 0 ? (int)error_status() : 0;
}

/* The reference is what administrators and the kernel's documents use. */
static void same_bytes_as_openssl(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	BUFFER der = {0};
	sign(&s);
	RUN("openssl", "smime", "-sign", "-nocerts", "-noattr", "-binary", "-in", "hash",
		"-inkey", "root.key", "-signer", "root.crt", "-outform", "der", "-out",
		"openssl.p7s");
	assert_int_equal(file_slurp("openssl.p7s", 65536, &der), 0);
	assert_int_equal(der.size, s.pkcs7.size);
	assert_memory_equal(der.data, s.pkcs7.data, der.size);
	/* And the other way round: openssl verifies ours. */
	assert_int_equal(output_save("ours.p7s", 0600, false, buffer_span(&s.pkcs7)), 0);
	RUN("openssl", "smime", "-verify", "-binary", "-inform", "der", "-in", "ours.p7s",
		"-content", "hash", "-certfile", "root.crt", "-nointern", "-noverify",
		"-out", "/dev/null");
}

static void raw_signature_completes_to_the_same(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0}, attached = {0};
	AUTO_CERTIFICATE c = {0}, other = {0};
	BUFFER raw = {0};
	sign(&s);
	RUN("openssl", "dgst", "-sha256", "-sign", "root.key", "-out", "raw", "hash");
	assert_int_equal(file_slurp("raw", 65536, &raw), 0);
	assert_int_equal(certificate_load(&c, "root.crt"), 0);
	assert_int_equal(certificate_load(&other, "other/root.crt"), 0);
	assert_int_equal(signature_attach(&attached, &c, hash, buffer_span(&raw)), 0);
	assert_int_equal(attached.pkcs7.size, s.pkcs7.size);
	assert_memory_equal(attached.pkcs7.data, s.pkcs7.data, s.pkcs7.size);
	assert_true(signature_attach(&attached, &other, hash, buffer_span(&raw)) < 0);
	assert_int_equal(error_status(), STATUS_TRUST);
	raw.data[7] ^= 1;
	assert_true(signature_attach(&attached, &c, hash, buffer_span(&raw)) < 0);
	assert_int_equal(error_status(), STATUS_TRUST);
}

static void only_the_pinned_signer_is_trusted(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	sign(&s);
	assert_int_equal(verify(&s, "root.crt", PURPOSE_ROOT), 0);
	assert_int_equal(verify(&s, ".", PURPOSE_ROOT), 0);
	assert_int_equal(verify(&s, "", PURPOSE_ROOT), STATUS_TRUST);
	assert_int_equal(verify(&s, "other/root.crt", PURPOSE_ROOT), STATUS_TRUST);
	assert_int_equal(verify(&s, "sysext.crt", PURPOSE_ROOT), STATUS_TRUST);
	assert_int_equal(verify(&s, "root.crt", PURPOSE_SYSEXT), STATUS_TRUST);
	s.root_hash[63] ^= 1;
	assert_int_equal(verify(&s, "root.crt", PURPOSE_ROOT), STATUS_TRUST);
}

/* A certificate of another key that claims the same issuer and serial number. */
static void namesake_is_not_trusted(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	AUTO_CERTIFICATES pins = {0};

	RUN("openssl", "genrsa", "-out", "twin.key", "2048");
	for (int i = 1; i <= 2; i++) {
		const char *key = i == 1 ? "twin.key" : "other/root.key";
		RUN("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=twin",
			"-set_serial", "7", "-out", i == 1 ? "twin1.pem" : "twin2.pem");
	}
	RUN("openssl", "smime", "-sign", "-noattr", "-binary", "-in", "hash", "-inkey",
		"twin.key", "-signer", "twin1.pem", "-outform", "der", "-out",
		"twin.p7s");
	assert_int_equal(file_slurp("twin.p7s", 65536, &s.pkcs7), 0);
	memcpy(s.root_hash, hash, sizeof s.root_hash);
	assert_int_equal(certificates_add(&pins, "twin1.pem"), 0);
	memcpy(s.fingerprint, pins.items[0].fingerprint, sizeof s.fingerprint);
	/* Its own certificate is inside the message, and does not help. */
	assert_int_equal(verify(&s, "twin1.pem", PURPOSE_ROOT), 0);
	assert_int_equal(verify(&s, "twin2.pem", PURPOSE_ROOT), STATUS_TRUST);
	assert_int_equal(verify(&s, "root.crt", PURPOSE_ROOT), STATUS_TRUST);
}

static void signed_attributes_are_refused(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	sign(&s);
	buffer_free(&s.pkcs7);
	RUN("openssl", "smime", "-sign", "-binary", "-in", "hash", "-inkey", "root.key",
		"-signer", "root.crt", "-outform", "der", "-out", "attributes.p7s");
	assert_int_equal(file_slurp("attributes.p7s", 65536, &s.pkcs7), 0);
	assert_int_equal(verify(&s, "root.crt", PURPOSE_ROOT), STATUS_FORMAT);
}

static void partition_comes_back(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0}, parsed = {0}, none = {0};
	BUFFER partition = {0}, empty = {0};
	sign(&s);
	assert_int_equal(signature_partition(&s, &partition), 0);
	assert_int_equal(partition.size, SIGNATURE_PARTITION_SIZE);
	assert_int_equal(signature_parse(&parsed, buffer_span(&partition), "test"), 0);
	assert_string_equal(parsed.root_hash, hash);
	assert_int_equal(verify(&parsed, "root.crt", PURPOSE_ROOT), 0);
	assert_int_equal(signature_partition(NULL, &empty), 0);
	assert_int_equal(empty.size, SIGNATURE_PARTITION_SIZE);
	assert_int_equal(signature_parse(&none, buffer_span(&empty), "test"), 1);
}

/* No byte of it may change: each flip is malformed or not trusted. */
static void every_flipped_byte_is_refused(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	AUTO_CERTIFICATES pins = {0};
	BUFFER partition = {0};
	sign(&s);
	assert_int_equal(signature_partition(&s, &partition), 0);
	assert_int_equal(certificates_add(&pins, "root.crt"), 0);
	for (size_t i = 0; i < partition.size; i++)
		for (int bit = 0, n = partition.data[i] ? 8 : 1; bit < n; bit++) {
			AUTO_SIGNATURE parsed = {0};
			partition.data[i] ^= (uint8_t)(1 << bit);
			int r = signature_parse(&parsed, buffer_span(&partition), "test");
			if (r == 0)
				r = signature_verify(
					&parsed, "test", &pins, PURPOSE_ROOT, NULL);
			if (r >= 0)
				fail_msg("byte %zu, bit %d: %d", i, bit, r);
			assert_true(error_status() == STATUS_TRUST ||
				    error_status() == STATUS_FORMAT);
			partition.data[i] ^= (uint8_t)(1 << bit);
		}
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH  "\"rootHash\":\"" HEX64 "\""
#define PRINT "\"certificateFingerprint\":\"" HEX64 "\""
#define VALUE "\"signature\":\"MAA=\""

static void parser_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"{" HASH "," PRINT "," VALUE "}", 0},
		{" {\n" VALUE " ,\t" PRINT ",\r\n" HASH "} \n", 0},
		{"", 1},
		{"{" HASH "," PRINT "," VALUE, -1},
		{"{" HASH "," PRINT "," VALUE "} {", -1},
		{"{" HASH "," PRINT "," VALUE "," VALUE "}", -1},
		{"{" HASH "," HASH "," VALUE "}", -1},
		{"{" HASH "," VALUE "}", -1},
		{"{" HASH "," PRINT "," VALUE ",\"more\":\"\"}", -1},
		{"{" HASH "," PRINT "," VALUE ",}", -1},
		{"{" HASH "," PRINT ",\"signature\":\"MAA\"}", -1},
		{"{" HASH "," PRINT ",\"signature\":\"MAB=\"}", -1},
		{"{" HASH "," PRINT ",\"signature\":\"MAA=\\n\"}", -1},
		{"{" HASH "," PRINT ",\"signature\":\" MAA=\"}", -1},
		{"{" HASH "," PRINT ",\"signature\":\"\"}", -1},
		{"{" HASH "," PRINT ",\"signature\":[]}", -1},
		{"{" HASH "," PRINT ",\"signature\":\"MAA=", -1},
		{"{" PRINT "," VALUE ",\"rootHash\":\"0123\"}", -1},
		{"{" PRINT "," VALUE
		 ",\"rootHash\":\"0123456789ABCDEF0123456789abcdef0123"
		 "456789abcdef0123456789abcdef\"}",
			-1},
		{"{" PRINT "," VALUE ",\"rootHash\":\"\\u0030\"}", -1},
		{"[" HASH "," PRINT "," VALUE "]", -1},
		{"null", -1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_SIGNATURE s = {0};
		struct span text = span_of(cases[i].text, strlen(cases[i].text));
		int r = signature_parse(&s, text, "test");
		if ((r < 0 ? -1 : r) != cases[i].result)
			fail_msg("%s: %d", cases[i].text, r);
		if (r < 0)
			assert_int_equal(error_status(), STATUS_FORMAT);
	}
}

static void size_is_limited(void **state)
{
	(void)state;
	BUFFER text = {0};
	for (size_t extra = 0; extra < 2; extra++) {
		AUTO_SIGNATURE s = {0};
		text.size = 0;
		buffer_printf(&text, "{%s,%s,%s}", HASH, PRINT, VALUE);
		while (text.size < SIGNATURE_JSON_MAX + extra)
			buffer_append(&text, " ", 1);
		buffer_append_zeros(&text, 100);
		assert_int_equal(
			signature_parse(&s, buffer_span(&text), "test") < 0, extra);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes_as_openssl),
		cmocka_unit_test(raw_signature_completes_to_the_same),
		cmocka_unit_test(only_the_pinned_signer_is_trusted),
		cmocka_unit_test(namesake_is_not_trusted),
		cmocka_unit_test(signed_attributes_are_refused),
		cmocka_unit_test(partition_comes_back),
		cmocka_unit_test(every_flipped_byte_is_refused),
		cmocka_unit_test(parser_is_strict),
		cmocka_unit_test(size_is_limited),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
