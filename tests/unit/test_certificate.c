/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/certificate.h"
#include "core/file.h"
#include "core/key.h"
#include "core/output.h"
#include "core/process.h"

static char directory[] = "/tmp/cairn-certificate.XXXXXX";

static void run(const char *const *argv)
{
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	if (process_run(&p, NULL) < 0)
		fail_msg("%s", error_text());
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static int enter(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0
		       ? key_make(".", PURPOSE_SYSEXT, false)
		       : -1;
}

static int leave(void **state)
{
	(void)state;
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

/* A certificate NAME of the key we have, with one more extension. */
static void certify(const char *name, const char *extension)
{
	RUN("openssl", "req", "-x509", "-new", "-key", "sysext.key", "-subj", "/CN=x",
		"-out", name, "-addext",
		extension ? extension : "keyUsage=digitalSignature");
}

/* The purposes that NAME is good for, as bits; -1 if it cannot be told. */
static int purposes_of(const char *name)
{
	AUTO_CERTIFICATE c = {0};
	int bits = 0;
	if (certificate_load(&c, name) < 0)
		fail_msg("%s", error_text());
	for (int i = 0; i < N_PURPOSES; i++) {
		int r = certificate_check_purpose(&c, (enum purpose)i);
		if (r < 0 && error_status() == STATUS_FORMAT)
			return -1;
		assert_true(r == 0 || error_status() == STATUS_TRUST);
		bits |= r == 0 ? 1 << i : 0;
	}
	return bits;
}

static void purposes_come_from_the_extended_key_usage(void **state)
{
	(void)state;
	char *both = NULL;
	assert_int_equal(purposes_of("sysext.crt"), 1 << PURPOSE_SYSEXT);
	certify("none.crt", NULL);
	assert_int_equal(purposes_of("none.crt"), (1 << N_PURPOSES) - 1);
	certify("foreign.crt", "extendedKeyUsage=serverAuth,2.25.1");
	assert_int_equal(purposes_of("foreign.crt"), (1 << N_PURPOSES) - 1);
	assert_true(asprintf(&both, "extendedKeyUsage=serverAuth,%s,%s",
			    purpose_oid(PURPOSE_ROOT), purpose_oid(PURPOSE_CONFEXT)) > 0);
	certify("both.crt", both);
	free(both);
	assert_int_equal(
		purposes_of("both.crt"), 1 << PURPOSE_ROOT | 1 << PURPOSE_CONFEXT);
}

/* An extension nobody can parse must not read as "none of ours". */
static void malformed_usage_is_good_for_nothing(void **state)
{
	(void)state;
	certify("bad.crt", "2.5.29.37=DER:30:03:02:01:05");
	assert_int_equal(purposes_of("bad.crt"), -1);
}

static void names_of_purposes(void **state)
{
	(void)state;
	for (int i = 0; i < N_PURPOSES; i++) {
		enum purpose p = N_PURPOSES;
		assert_int_equal(purpose_by_name(purpose_name((enum purpose)i), &p), 0);
		assert_int_equal(p, i);
		assert_memory_equal(purpose_oid(p), "2.25.", 5);
	}
	enum purpose p;
	assert_true(purpose_by_name("roo", &p) < 0);
	assert_int_equal(error_status(), STATUS_USAGE);
}

static int load(const char *name)
{
	AUTO_CERTIFICATE c = {0};
	return certificate_load(&c, name) < 0 ? (int)error_status() : 0;
}

static void files_hold_exactly_one(void **state)
{
	(void)state;
	BUFFER der = {0}, pem = {0};
	RUN("openssl", "x509", "-in", "sysext.crt", "-outform", "der", "-out", "a.der");
	assert_int_equal(file_slurp("a.der", 65536, &der), 0);
	assert_int_equal(file_slurp("sysext.crt", 65536, &pem), 0);
	AUTO_CERTIFICATE a = {0}, b = {0};
	assert_int_equal(certificate_load(&a, "a.der"), 0);
	assert_int_equal(certificate_load(&b, "sysext.crt"), 0);
	assert_string_equal(a.fingerprint, b.fingerprint);
	assert_int_equal(buffer_append(&der, "", 1), 0);
	assert_int_equal(output_save("b.der", 0600, true, buffer_span(&der)), 0);
	assert_int_equal(load("b.der"), STATUS_FORMAT);
	assert_int_equal(output_save("c.der", 0600, true, span_of(der.data, 100)), 0);
	assert_int_equal(load("c.der"), STATUS_FORMAT);
	assert_int_equal(buffer_append(&pem, pem.data, pem.size), 0);
	assert_int_equal(output_save("two.pem", 0600, true, buffer_span(&pem)), 0);
	assert_int_equal(load("two.pem"), STATUS_FORMAT);
	assert_int_equal(load("sysext.key"), STATUS_FORMAT);
	assert_int_equal(load("/dev/null"), STATUS_FORMAT);
	assert_int_equal(load("nothing"), STATUS_FAILED);
}

static void directories_are_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	AUTO_CERTIFICATES set = {0}, none = {0}, bad = {0};
	RUN("mkdir", "trust");
	RUN("cp", "sysext.crt", "trust/a.crt");
	RUN("cp", "sysext.crt", "trust/b.pem");
	RUN("cp", "sysext.key", "trust/ignored.txt");
	assert_int_equal(certificates_add(&set, "trust"), 0);
	assert_int_equal(set.n_items, 2);
	RUN("cp", "sysext.key", "trust/c.crt");
	assert_true(certificates_add(&bad, "trust") < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_true(certificates_add(&none, "nowhere") < 0);
	assert_int_equal(error_status(), STATUS_FAILED);
}

static void dates_are_told(void **state)
{
	(void)state;
	AUTO_CERTIFICATE c = {0};
	assert_int_equal(certificate_load(&c, "sysext.crt"), 0);
	const time_t now = time(NULL), year = 366 * 86400;
	assert_true(certificate_is_current(&c, now + 60));
	assert_false(certificate_is_current(&c, now - 3600));
	assert_true(certificate_is_current(&c, now + 9 * year));
	assert_false(certificate_is_current(&c, now + 11 * year));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(purposes_come_from_the_extended_key_usage),
		cmocka_unit_test(malformed_usage_is_good_for_nothing),
		cmocka_unit_test(names_of_purposes),
		cmocka_unit_test(files_hold_exactly_one),
		cmocka_unit_test(directories_are_taken_whole_or_not_at_all),
		cmocka_unit_test(dates_are_told),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
