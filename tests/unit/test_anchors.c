/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/key.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keys_are_good_for_their_purpose_only, renew),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
