/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/authenticode.h"
#include "core/file.h"
#include "core/signature.h"

/*
 * The fuzzers' seeds: a program of four sections, 1,280 bytes, once plain and once signed
 * by a key that is gone. Where things are in it:
 */
#define COFF     0x44
#define OPTIONAL 0x58
#define SECTIONS 0x148
#define HEADERS  0x400

static struct buffer plain, signed_program, json;
static struct certificates pins;

static int slurp(const char *name, struct buffer *b)
{
	char path[4096];
	const char *top = getenv("CAIRN_TOP");
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	return b ? file_slurp(path, 1 << 20, b) : certificates_add(&pins, path);
}

static int enter(void **state)
{
	(void)state;
	return slurp("pe/unsigned", &plain) || slurp("pe/signed", &signed_program) ||
	       slurp("signature/json", &json) || slurp("signer.crt", NULL);
}

static int leave(void **state)
{
	(void)state;
	buffer_free(&plain);
	buffer_free(&signed_program);
	buffer_free(&json);
	certificates_free(&pins);
	return 0;
}

/* What was signed once stays good, and the seeds are worth fuzzing. */
static void old_signatures_verify(void **state)
{
	(void)state;
	AUTO_SIGNATURE s = {0};
	struct pe pe;
	assert_int_equal(pe_parse(&pe, buffer_span(&signed_program), "signed"), 0);
	assert_int_equal(authenticode_verify(&pe, &pins, PURPOSE_ROOT, NULL), 0);
	assert_int_equal(pe_parse(&pe, buffer_span(&plain), "plain"), 0);
	assert_int_equal(authenticode_verify(&pe, &pins, PURPOSE_ROOT, NULL), 1);
	assert_int_equal(signature_parse(&s, buffer_span(&json), "json"), 0);
	assert_int_equal(signature_verify(&s, "json", &pins, PURPOSE_ROOT, NULL), 0);
}

/* Parses PLAIN with the 32 bits at OFFSET changed to VALUE. */
static int parse_with(size_t offset, uint32_t value)
{
	struct pe pe;
	uint8_t old[4];
	memcpy(old, plain.data + offset, 4);
	put_le32(plain.data + offset, value);
	int r = pe_parse(&pe, buffer_span(&plain), "changed");
	uint8_t digest[32];
	if (r == 0)
		r = pe_digest(&pe, digest);
	memcpy(plain.data + offset, old, 4);
	assert_true(r == 0 || error_status() == STATUS_FORMAT);
	return r < 0 ? -1 : 0;
}

static void numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	const size_t first = SECTIONS, second = SECTIONS + 40;
	const struct {
		size_t offset;
		uint32_t value;
	} bad[] = {
		{0, 0},                         /* MZ */
		{60, 0xffffffff},               /* where the PE header is */
		{60, HEADERS + 0x100 - 4},      /* it does not fit any more */
		{COFF - 4, 0x4550 + 1},         /* PE\0\0 */
		{COFF, 0x8664},                 /* no sections */
		{COFF, 0x8664 | 97u << 16},     /* too many */
		{COFF, 0x8664 | 40u << 16},     /* their headers are not all there */
		{COFF + 16, 0x0206ffff},        /* size of the optional header */
		{COFF + 16, 0x0206006f},        /* too small */
		{OPTIONAL, 0x10b},              /* PE32 */
		{OPTIONAL + 32, 3},             /* alignments */
		{OPTIONAL + 36, 0},             /* */
		{OPTIONAL + 56, 0x1000},        /* size of the image */
		{OPTIONAL + 60, 0x100},         /* size of the headers: too small */
		{OPTIONAL + 60, 0xffffffff},    /* too large */
		{OPTIONAL + 108, 4},            /* number of data directories */
		{OPTIONAL + 108, 17},           /* */
		{OPTIONAL + 108, 0xffffffff},   /* */
		{OPTIONAL + 112 + 32, 8},       /* certificate table of no size */
		{OPTIONAL + 112 + 36, 8},       /* of no place */
		{first + 8, 0xffffffff},        /* virtual size */
		{first + 8, 0x1001},            /* reaches into the next one */
		{first + 12, 0xffffffff},       /* virtual address */
		{first + 12, 0x2000},           /* that of the next one */
		{first + 16, 0xffffffff},       /* size in the file */
		{first + 16, 0x41},             /* reaches into the next one */
		{first + 20, 0xffffffff},       /* place in the file */
		{first + 20, HEADERS - 1},      /* inside the headers */
		{second + 20, HEADERS},         /* that of the first */
		{SECTIONS + 3 * 40 + 16, 0x41}, /* beyond the file's end */
		{second + 16, 0},               /* a gap: its bytes are nobody's */
	};
	assert_int_equal(parse_with(OPTIONAL, 0x20b), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse_with(bad[i].offset, bad[i].value) == 0)
			fail_msg("case %zu was accepted", i);
	assert_int_equal(parse_with(OPTIONAL, 0x20b), 0);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	const struct buffer *whole[] = {&plain, &signed_program};
	struct pe pe;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pe_parse(&pe, buffer_span(whole[i]), "whole"), 0);
		for (size_t n = 0; n < whole[i]->size; n++)
			if (pe_parse(&pe, span_of(whole[i]->data, n), "part") == 0)
				fail_msg("%zu bytes were accepted", n);
	}
}

static void two_sections_of_one_name(void **state)
{
	(void)state;
	struct pe pe;
	struct span contents;
	assert_int_equal(pe_parse(&pe, buffer_span(&plain), "plain"), 0);
	assert_int_equal(pe_find(&pe, ".cmdline", &contents), 0);
	assert_int_equal(contents.size, 5);
	assert_memory_equal(contents.data, "quiet", 5);
	assert_int_equal(pe_find(&pe, ".initrd", &contents), 1);
	strcpy(pe.sections[3].name, ".cmdline");
	assert_true(pe_find(&pe, ".cmdline", &contents) < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_signatures_verify),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(two_sections_of_one_name),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
