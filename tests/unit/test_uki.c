/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/uki.h"
#include "core/authenticode.h"
#include "core/hash.h"
#include "core/key.h"
#include "core/output.h"
#include "core/process.h"

#define EFI "/usr/lib/systemd/boot/efi/"

static char directory[] = "/tmp/cairn-uki.XXXXXX";
static struct buffer stub, boot, image;

#define TEXT(s) span_of(s, strlen(s))

/* systemd-boot stands for a kernel: to the builder both are EFI programs. */
static struct uki parts(void)
{
	return (struct uki){
		.stub = buffer_span(&stub),
		.osrel = TEXT("ID=test\n"),
		.cmdline = TEXT("roothash=00 quiet"),
		.kernel = buffer_span(&boot),
		.initrd = TEXT("not quite a cpio"),
		.uname = TEXT("6.12.0"),
	};
}

static void run(const char *const *argv, struct buffer *output)
{
	struct process p = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1};
	if (process_run(&p, output) < 0)
		fail_msg("%s", error_text());
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL}, NULL)

static void save(const char *name, const struct buffer *b)
{
	assert_int_equal(output_save(name, 0600, true, buffer_span(b)), 0);
}

static int enter(void **state)
{
	(void)state;
	struct uki uki;
	if (!mkdtemp(directory) || chdir(directory) < 0 ||
		file_slurp(EFI "linuxx64.efi.stub", 1 << 20, &stub) < 0 ||
		file_slurp(EFI "systemd-bootx64.efi", 1 << 20, &boot) < 0)
		return -1;
	uki = parts();
	return uki_make(&uki, &image) || key_make(".", PURPOSE_ROOT, false) ||
	       key_make("other", PURPOSE_ROOT, false);
}

static int leave(void **state)
{
	(void)state;
	buffer_free(&stub);
	buffer_free(&boot);
	buffer_free(&image);
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static void parse(struct pe *pe, const struct buffer *b)
{
	if (pe_parse(pe, buffer_span(b), "test.efi") < 0)
		fail_msg("%s", error_text());
}

static void sections_come_back(void **state)
{
	(void)state;
	struct pe pe;
	struct span contents;
	struct uki uki = parts();
	BUFFER again = {0};
	parse(&pe, &image);
	assert_int_equal(pe_find(&pe, ".cmdline", &contents), 0);
	assert_int_equal(contents.size, uki.cmdline.size);
	assert_memory_equal(contents.data, uki.cmdline.data, contents.size);
	assert_int_equal(pe_find(&pe, ".linux", &contents), 0);
	assert_int_equal(contents.size, boot.size);
	assert_memory_equal(contents.data, boot.data, boot.size);
	/* This stub does not measure .uname, so it is left out. */
	assert_int_equal(uki_stub_version(&pe), 252);
	assert_int_equal(pe_find(&pe, ".uname", &contents), 1);
	const struct pe_section *last = &pe.sections[pe.n_sections - 1];
	assert_string_equal(last->name, ".linux");
	for (unsigned i = 0; i < pe.n_sections; i++)
		assert_true(pe.sections[i].virtual_address <= last->virtual_address);
	assert_int_equal(pe_checksum(buffer_span(&image), pe.checksum_offset),
		get_le32(image.data + pe.checksum_offset));
	assert_int_equal(uki_make(&uki, &again), 0);
	assert_int_equal(again.size, image.size);
	assert_memory_equal(again.data, image.data, image.size);
}

/* binutils reads what we wrote, and finds our bytes. */
static void objcopy_agrees(void **state)
{
	(void)state;
	BUFFER initrd = {0};
	save("test.efi", &image);
	RUN("objcopy", "-O", "binary", "--dump-section", ".initrd=initrd", "test.efi",
		"out");
	assert_int_equal(file_slurp("initrd", 1 << 20, &initrd), 0);
	assert_string_equal(buffer_text(&initrd), "not quite a cpio");
}

static void checksum_of_others_is_computed(void **state)
{
	(void)state;
	struct pe pe;
	parse(&pe, &stub);
	assert_int_equal(pe_checksum(buffer_span(&stub), pe.checksum_offset),
		get_le32(stub.data + pe.checksum_offset));
}

static void bad_parts_are_refused(void **state)
{
	(void)state;
	BUFFER out = {0};
	struct uki uki = parts();
	uki.initrd = span_of("", 0);
	assert_true(uki_make(&uki, &out) < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	uki = parts();
	uki.stub = buffer_span(&image);
	assert_true(uki_make(&uki, &out) < 0);
	uki = parts();
	uki.kernel = TEXT("MZ, but not more");
	assert_true(uki_make(&uki, &out) < 0);
	uki = parts();
	out.size = 0;
	assert_int_equal(uki_make(&uki, &out), 0);
}

/* By hand, as the stub does it: name and contents of each section, in its order. */
static void pcr11_is_predicted(void **state)
{
	(void)state;
	static const char *const order[] = {".linux", ".osrel", ".cmdline", ".initrd"};
	uint8_t pcr[32], wanted[32] = {0}, digest[32];
	struct pe pe;
	parse(&pe, &image);
	for (int i = 0; i < 4; i++) {
		struct span both[2] = {SPAN(wanted), SPAN(digest)}, part;
		part = span_of(order[i], strlen(order[i]) + 1);
		assert_int_equal(hash_parts(HASH_SHA256, &part, 1, digest), 0);
		assert_int_equal(hash_parts(HASH_SHA256, both, 2, wanted), 0);
		assert_int_equal(pe_find(&pe, order[i], &part), 0);
		assert_int_equal(hash_parts(HASH_SHA256, &part, 1, digest), 0);
		assert_int_equal(hash_parts(HASH_SHA256, both, 2, wanted), 0);
	}
	assert_int_equal(uki_pcr11(&pe, pcr), 0);
	assert_memory_equal(pcr, wanted, 32);
	parse(&pe, &boot);
	assert_true(uki_pcr11(&pe, pcr) < 0);
}

static void sign(const struct buffer *program, struct buffer *signed_program)
{
	AUTO_SIGNER signer = {0};
	struct pe pe;
	parse(&pe, program);
	assert_int_equal(signer_load(&signer, "root.key", "root.crt", PURPOSE_ROOT), 0);
	if (authenticode_sign(&pe, &signer, signed_program) < 0)
		fail_msg("%s", error_text());
}

static int verify(const struct buffer *program, const char *pin)
{
	AUTO_CERTIFICATES pins = {0};
	struct pe pe;
	const struct certificate *by = NULL;
	assert_int_equal(certificates_add(&pins, pin), 0);
	parse(&pe, program);
	int r = authenticode_verify(&pe, &pins, PURPOSE_ROOT, &by);
	assert_true(r == 0 ? by == pins.items : by == NULL);
	return r < 0 ? (int)error_status() : r == 1 ? -1 : 0;
}

static void sbverify_accepts_ours(void **state)
{
	(void)state;
	const struct buffer *programs[] = {&image, &boot};
	for (int i = 0; i < 2; i++) {
		BUFFER ours = {0}, again = {0};
		sign(programs[i], &ours);
		save("signed.efi", &ours);
		RUN("sbverify", "--cert", "root.crt", "signed.efi");
		assert_int_equal(verify(&ours, "root.crt"), 0);
		assert_int_equal(verify(&ours, "other/root.crt"), STATUS_TRUST);
		assert_int_equal(verify(programs[i], "root.crt"), -1);
		assert_in_range(ours.size, programs[i]->size + 1,
			programs[i]->size + AUTHENTICODE_MAX_SIZE);
		/* Signing what is signed gives the same: the old signature is gone. */
		sign(&ours, &again);
		assert_int_equal(again.size, ours.size);
		assert_memory_equal(again.data, ours.data, ours.size);
	}
}

static void we_accept_sbsigns(void **state)
{
	(void)state;
	const struct buffer *programs[] = {&image, &boot};
	for (int i = 0; i < 2; i++) {
		BUFFER theirs = {0};
		save("plain.efi", programs[i]);
		RUN("sbsign", "--key", "root.key", "--cert", "root.crt", "--output",
			"theirs.efi", "plain.efi");
		assert_int_equal(file_slurp("theirs.efi", 1 << 20, &theirs), 0);
		assert_int_equal(verify(&theirs, "root.crt"), 0);
		assert_int_equal(verify(&theirs, "other/root.crt"), STATUS_TRUST);
	}
}

static void offline_signature_gives_the_same(void **state)
{
	(void)state;
	BUFFER direct = {0}, attached = {0}, request = {0}, raw = {0};
	AUTO_CERTIFICATE c = {0}, other = {0};
	struct pe pe;
	sign(&image, &direct);
	parse(&pe, &image);
	assert_int_equal(authenticode_export(&pe, &request), 0);
	save("request", &request);
	RUN("openssl", "dgst", "-sha256", "-sign", "root.key", "-out", "raw", "request");
	assert_int_equal(file_slurp("raw", 65536, &raw), 0);
	assert_int_equal(certificate_load(&c, "root.crt"), 0);
	assert_int_equal(certificate_load(&other, "other/root.crt"), 0);
	assert_int_equal(authenticode_attach(&pe, &c, buffer_span(&raw), &attached), 0);
	assert_int_equal(attached.size, direct.size);
	assert_memory_equal(attached.data, direct.data, direct.size);
	assert_true(authenticode_attach(&pe, &other, buffer_span(&raw), &attached) < 0);
	assert_int_equal(error_status(), STATUS_TRUST);
}

/*
 * Every byte of a signed program is covered, but for the checksum, which nobody reads,
 * and the certificate that is embedded for others. Long runs try each byte.
 */
static void flipped_bytes_are_refused(void **state)
{
	(void)state;
	AUTO_CERTIFICATES pins = {0};
	BUFFER ours = {0};
	struct pe pe;
	sign(&stub, &ours);
	parse(&pe, &ours);
	assert_int_equal(certificates_add(&pins, "root.crt"), 0);
	assert_int_equal(authenticode_verify(&pe, &pins, PURPOSE_ROOT, NULL), 0);
	BUFFER der = {0};
	RUN("openssl", "x509", "-in", "root.crt", "-outform", "der", "-out", "root.der");
	assert_int_equal(file_slurp("root.der", 65536, &der), 0);
	const uint8_t *inside = memmem(ours.data, ours.size, der.data, der.size);
	assert_non_null(inside);
	size_t embedded = (size_t)(inside - ours.data);
	size_t step = getenv("CAIRN_LONG") ? 1 : 97;
	for (size_t i = 0; i < ours.size; i += i < pe.certificates ? step : 1) {
		if (i / 4 == pe.checksum_offset / 4 ||
			(i >= embedded && i < embedded + der.size))
			continue;
		struct pe flipped;
		ours.data[i] ^= 0x20;
		int r = pe_parse(&flipped, buffer_span(&ours), "flipped");
		if (r == 0)
			r = authenticode_verify(&flipped, &pins, PURPOSE_ROOT, NULL);
		if (r == 0)
			fail_msg("byte %zu was accepted", i);
		ours.data[i] ^= 0x20;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_come_back),
		cmocka_unit_test(objcopy_agrees),
		cmocka_unit_test(checksum_of_others_is_computed),
		cmocka_unit_test(bad_parts_are_refused),
		cmocka_unit_test(pcr11_is_predicted),
		cmocka_unit_test(sbverify_accepts_ours),
		cmocka_unit_test(we_accept_sbsigns),
		cmocka_unit_test(offline_signature_gives_the_same),
		cmocka_unit_test(flipped_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
