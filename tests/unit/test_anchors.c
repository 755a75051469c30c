/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/hex.h"
#include "core/key.h"
#include "core/output.h"
#include "core/path.h"
#include "core/process.h"
#include "core/signature.h"
#include "initrd/compose/anchors.h"

static char directory[] = "/tmp/cairn-anchors.XXXXXX";
static const char hash[] =
	"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c";

static void run(const char *const *argv)
{
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	if (process_run(&p, NULL) < 0)
		fail_msg("%s", error_text());
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static void save(const char *path, const char *text)
{
	if (output_save(path, 0644, true, span_of(text, strlen(text))) < 0)
		fail_msg("%s", error_text());
}

/* A base whose /usr is "usr", with root.crt and sysext.crt trusted for what they are. */
static int enter(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory) < 0 ||
		key_make(".", PURPOSE_ROOT, false) ||
		key_make(".", PURPOSE_SYSEXT, false) ||
		key_make("other", PURPOSE_SYSEXT, false))
		return -1;
	return 0;
}

static int leave(void **state)
{
	(void)state;
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static int renew(void **state)
{
	(void)state;
	RUN("rm", "-rf", "usr");
	RUN("mkdir", "-p", "usr/lib/cairn/trust/root", "usr/lib/cairn/trust/sysext");
	RUN("cp", "root.crt", "usr/lib/cairn/trust/root/a.crt");
	RUN("cp", "sysext.crt", "usr/lib/cairn/trust/sysext/b.crt");
	return 0;
}

/* The status of reading the base; A is filled if it is good. */
static int read_anchors(struct anchors *a)
{
	int usr = path_open_dir("usr");
	int r = anchors_read(a, usr);
	close(usr);
	return r < 0 ? (int)error_status() : 0;
}

/* Signs the root hash with NAME.key; PARTITION is what lies in the image then. */
static void sign(const char *name, enum purpose purpose, struct buffer *partition)
{
	char key[64], certificate[64];
	AUTO_SIGNER signer = {0};
	AUTO_SIGNATURE s = {0};
	snprintf(key, sizeof key, "%s.key", name);
	snprintf(certificate, sizeof certificate, "%s.crt", name);
	assert_int_equal(signer_load(&signer, key, certificate, purpose), 0);
	assert_int_equal(signature_make(&s, &signer, hash), 0);
	assert_int_equal(signature_partition(&s, partition), 0);
}

static int check(const struct anchors *a, enum purpose purpose, const char *root_hash,
	struct span partition)
{
	struct signer_id by = {0};
	int r = anchors_check(a, purpose, "image", root_hash, partition, &by);
	assert_true(r < 0 ? !by.pin : by.pin && by.purpose == purpose);
	return r < 0 ? (int)error_status() : 0;
}

static void keys_are_good_for_their_purpose_only(void **state)
{
	(void)state;
	BUFFER by_sysext = {0}, by_root = {0}, by_other = {0}, unsigned_one = {0};
	AUTO_ANCHORS a = {0};
	sign("sysext", PURPOSE_SYSEXT, &by_sysext);
	sign("root", PURPOSE_ROOT, &by_root);
	sign("other/sysext", PURPOSE_SYSEXT, &by_other);
	assert_int_equal(signature_partition(NULL, &unsigned_one), 0);
	assert_int_equal(read_anchors(&a), 0);
	assert_int_equal(check(&a, PURPOSE_SYSEXT, hash, buffer_span(&by_sysext)), 0);
	assert_int_equal(check(&a, PURPOSE_ROOT, hash, buffer_span(&by_root)), 0);
	assert_int_equal(
		check(&a, PURPOSE_SYSEXT, hash, buffer_span(&by_root)), STATUS_TRUST);
	assert_string_equal(error_text(),
		"image: signed by a key that is trusted for root, not for sysext");
	assert_int_equal(
		check(&a, PURPOSE_CONFEXT, hash, buffer_span(&by_sysext)), STATUS_TRUST);
	assert_int_equal(
		check(&a, PURPOSE_SYSEXT, hash, buffer_span(&by_other)), STATUS_TRUST);
	assert_string_equal(error_text(), "image: signed by a certificate that is not "
					  "among the 1 trusted for sysext");
	assert_int_equal(check(&a, PURPOSE_SYSEXT, hash, buffer_span(&unsigned_one)),
		STATUS_TRUST);
	assert_string_equal(error_text(), "image: its root hash is not signed");
}

/* A list of revocations that has LINE is in the base. */
static int check_revoked(const char *line, struct span partition)
{
	AUTO_ANCHORS a = {0};
	save("usr/lib/cairn/revoked", line);
	int status = read_anchors(&a);
	return status ? status : check(&a, PURPOSE_SYSEXT, hash, partition);
}

static void revocations_are_heeded(void **state)
{
	(void)state;
	AUTO_ANCHORS a = {0};
	BUFFER partition = {0}, line = {0};
	char issuer[65], serial[128];
	uint8_t digest[32];
	sign("sysext", PURPOSE_SYSEXT, &partition);
	struct span p = buffer_span(&partition);
	assert_int_equal(read_anchors(&a), 0);
	assert_int_equal(check(&a, PURPOSE_SYSEXT, hash, p), 0);
	const struct pin *pin = &a.pins[PURPOSE_SYSEXT].items[0];

	assert_int_equal(buffer_printf(&line, "certificate %s\n", pin->fingerprint), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), STATUS_TRUST);
	assert_non_null(strstr(error_text(), "revoked certificate, sysext/b.crt"));

	public_key_digest(pin->issuer, digest);
	hex_encode(digest, sizeof digest, issuer);
	hex_encode(pin->serial.data, pin->serial.size, serial);
	line.size = 0;
	assert_int_equal(buffer_printf(&line, "serial %s %s\n", issuer, serial), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), STATUS_TRUST);
	line.size = 0;
	assert_int_equal(buffer_printf(&line, "serial %s 00%s", issuer, serial), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), STATUS_TRUST);
	line.size = 0;
	assert_int_equal(buffer_printf(&line, "serial %s %s00\n", issuer, serial), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), 0);

	line.size = 0;
	assert_int_equal(buffer_printf(&line, "# x\n\nroothash %s\n", hash), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), STATUS_TRUST);
	assert_string_equal(error_text(), "image: its root hash is revoked");

	/* By serial number also when nobody trusts the signer any more. */
	assert_int_equal(unlink("usr/lib/cairn/trust/sysext/b.crt"), 0);
	line.size = 0;
	assert_int_equal(buffer_printf(&line, "serial %s %s\n", issuer, serial), 0);
	assert_int_equal(check_revoked(buffer_text(&line), p), STATUS_TRUST);
	assert_string_equal(error_text(), "image: signed by a revoked certificate");

	static const char *const bad[] = {"certificate 00\n", "roothash\n", "cert x\n",
		"roothash "
		"e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463f"
		"a25280f09d5c x\n",
		" roothash x\n",
		"roothash "
		"E522DF0F97DA4FEBB882AC40F30B37DC0B444BF6DF418929463FA25280F09D5C"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(check_revoked(bad[i], p), STATUS_FORMAT);
}

/* An empty system trusts nobody; one with half a trust nobody either. */
static void what_cannot_be_read_refuses(void **state)
{
	(void)state;
	AUTO_ANCHORS none = {0}, some = {0}, a = {0};
	BUFFER partition = {0};
	sign("root", PURPOSE_ROOT, &partition);
	assert_int_equal(read_anchors(&some), 0);
	assert_int_equal(check(&some, PURPOSE_ROOT, hash, buffer_span(&partition)), 0);

	RUN("mv", "usr/lib/cairn", "aside");
	assert_int_equal(read_anchors(&none), 0);
	assert_int_equal(
		check(&none, PURPOSE_ROOT, hash, buffer_span(&partition)), STATUS_TRUST);
	RUN("ln", "-s", "../../aside", "usr/lib/cairn");
	assert_int_equal(read_anchors(&a), STATUS_FAILED);
	RUN("rm", "usr/lib/cairn");
	RUN("mv", "aside", "usr/lib/cairn");
	assert_int_equal(read_anchors(&a), 0);
	anchors_free(&a);

	static const char *const faults[] = {
		"ln -s b.crt usr/lib/cairn/trust/sysext/c.crt",
		"mkfifo usr/lib/cairn/trust/sysext/c.crt",
		"echo x >usr/lib/cairn/trust/sysext/c.crt",
		"cp root.key usr/lib/cairn/trust/root/c.pem",
		"mkdir usr/lib/cairn/revoked",
		"ln -s /dev/null usr/lib/cairn/extensions.conf",
		"rm -r usr/lib/cairn/trust/confext; ln -s root "
		"usr/lib/cairn/trust/confext",
	};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		renew(NULL);
		RUN("mkdir", "-p", "usr/lib/cairn/trust/confext");
		assert_int_equal(read_anchors(&a), 0);
		anchors_free(&a);
		RUN("sh", "-c", faults[i]);
		if (read_anchors(&a) == 0)
			fail_msg("accepted: %s", faults[i]);
		anchors_free(&a);
	}
}

static void weak_or_foreign_certificates(void **state)
{
	(void)state;
	AUTO_ANCHORS a = {0}, b = {0};
	BUFFER partition = {0};
	/* A root key among the extensions' signers: its own usage says no. */
	RUN("cp", "root.crt", "usr/lib/cairn/trust/sysext/c.crt");
	sign("root", PURPOSE_ROOT, &partition);
	assert_int_equal(read_anchors(&a), 0);
	assert_int_equal(
		check(&a, PURPOSE_SYSEXT, hash, buffer_span(&partition)), STATUS_TRUST);
	assert_non_null(strstr(error_text(), "not for sysext"));
	RUN("sh", "-c",
		"openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -keyout "
		"/dev/null "
		"-out usr/lib/cairn/trust/confext-weak.crt 2>/dev/null && mkdir "
		"usr/lib/cairn/trust/confext && mv usr/lib/cairn/trust/confext-weak.crt "
		"usr/lib/cairn/trust/confext/weak.crt");
	assert_int_equal(read_anchors(&b), STATUS_TRUST);
	assert_non_null(strstr(error_text(), "an RSA key of 1024 bits"));
}

static void policy_limits_signers(void **state)
{
	(void)state;
	AUTO_ANCHORS a = {0}, limited = {0};
	BUFFER text = {0};
	assert_int_equal(read_anchors(&a), 0);
	assert_false(a.setuid_allowed);
	struct signer_id by = {&a.pins[PURPOSE_SYSEXT].items[0], PURPOSE_SYSEXT};
	assert_int_equal(anchors_check_path(&a, &by, "x", "/usr/bin/x", false), 0);
	assert_int_equal(buffer_printf(&text,
				 "epoch-floor=2\nsetuid=allow\nallow-override=a b\n"
				 "prefix=%s /opt/vendor\nprefix=%s /usr/lib/v\n",
				 by.pin->fingerprint, by.pin->fingerprint),
		0);
	save("usr/lib/cairn/extensions.conf", buffer_text(&text));
	assert_int_equal(read_anchors(&limited), 0);
	assert_true(limited.setuid_allowed);
	assert_int_equal(limited.epoch_floor, 2);
	assert_int_equal(anchors_check_epoch(&limited, "x", 2), 0);
	assert_true(anchors_check_epoch(&limited, "x", 1) < 0);
	assert_int_equal(error_status(), STATUS_TRUST);
	assert_string_equal(error_text(), "x: its epoch 1 is below the floor 2");
	assert_true(anchors_allows_override(&limited, "a b"));
	assert_false(anchors_allows_override(&limited, "a"));
	static const struct {
		const char *path;
		bool is_directory, good;
	} paths[] = {{"/opt/vendor", true, true}, {"/opt/vendor/x", false, true},
		{"/opt", true, true}, {"/opt", false, false},
		{"/opt/vendor2", false, false}, {"/opt/vendo", true, false},
		{"/usr/lib/v/x", false, true}, {"/usr/lib", true, true},
		{"/usr/bin/x", false, false},
		{"/usr/lib/extension-release.d/extension-release.x", false, true},
		{"/usr/lib/extension-release.d", true, true}};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if ((anchors_check_path(&limited, &by, "x", paths[i].path,
			     paths[i].is_directory) == 0) != paths[i].good)
			fail_msg("%s", paths[i].path);

	static const char *const bad[] = {"epoch-floor=", "epoch-floor=01",
		"epoch-floor=70000", "epoch-floor=1\nepoch-floor=1", "setuid=yes",
		"allow-override=", "allow-override=a/b", "prefix=00 /opt", "unknown=1",
		"x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		AUTO_ANCHORS none = {0};
		save("usr/lib/cairn/extensions.conf", bad[i]);
		assert_int_equal(read_anchors(&none), STATUS_FORMAT);
	}
}

static void epochs_are_parsed_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int epoch; /* -1: refused */
	} rows[] = {{"", 0}, {"ID=x\n", 0}, {"CAIRN_EPOCH=7\n", 7},
		{"CAIRN_EPOCH=\"7\"", 7}, {"CAIRN_EPOCH='65535'\n", 65535},
		{"#CAIRN_EPOCH=7\n", 0}, {"CAIRN_EPOCH=65536\n", -1},
		{"CAIRN_EPOCH=-1\n", -1}, {"CAIRN_EPOCH=07\n", -1},
		{"CAIRN_EPOCH=7 \n", -1}, {"CAIRN_EPOCH=\n", -1},
		{"CAIRN_EPOCH=1\nCAIRN_EPOCH=1\n", -1}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned epoch;
		int r = anchors_epoch(
			span_of(rows[i].text, strlen(rows[i].text)), "x", &epoch);
		if (r < 0 ? rows[i].epoch >= 0 : (int)epoch != rows[i].epoch)
			fail_msg("%s", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keys_are_good_for_their_purpose_only, renew),
		cmocka_unit_test_setup(revocations_are_heeded, renew),
		cmocka_unit_test_setup(what_cannot_be_read_refuses, renew),
		cmocka_unit_test_setup(weak_or_foreign_certificates, renew),
		cmocka_unit_test_setup(policy_limits_signers, renew),
		cmocka_unit_test(epochs_are_parsed_strictly),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
