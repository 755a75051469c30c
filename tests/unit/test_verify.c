/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/process.h"
#include "verifier/verify.h"

/*
 * A small signed image, made by other people's tools (tests/make-image), of which single
 * bytes are changed: each must be found, at its place. Whatever needs a whole image of
 * its own is in tests/cli/test_verify.sh.
 */
#define FLIPS 200

struct area {
	char name[32];
	uint64_t offset, size; /* in bytes of the image */
	const char
		*finding; /* a word in the name of the area the fault must be told of */
};

static char directory[] = "/tmp/cairn-verify.XXXXXX";
static struct file image;
static struct certificates pins;
static struct area areas[16];
static size_t n_areas;

static void add_area(
	const char *name, uint64_t offset, uint64_t size, const char *finding)
{
	struct area *a = &areas[n_areas++];
	snprintf(a->name, sizeof a->name, "%s", name);
	a->offset = offset;
	a->size = size;
	a->finding = finding;
}

static const struct area *area_of(const char *name)
{
	for (size_t i = 0; i < n_areas; i++)
		if (!strcmp(areas[i].name, name))
			return &areas[i];
	return NULL;
}

/* The UKI lies in one piece in the fresh FAT file system. */
static uint64_t find_uki(uint64_t *size)
{
	BUFFER uki = {0}, whole = {0};
	assert_int_equal(file_slurp("uki.efi", 1 << 24, &uki), 0);
	assert_int_equal(file_slurp("image.raw", 1 << 24, &whole), 0);
	const uint8_t *at = memmem(whole.data, whole.size, uki.data, uki.size);
	assert_non_null(at);
	*size = uki.size;
	return (uint64_t)(at - whole.data);
}

static void load_areas(void)
{
	FILE *f = fopen("areas", "r");
	char name[32];
	unsigned long long offset, size, uki_size;
	assert_non_null(f);
	add_area("mbr", 0, 512, "protective MBR");
	add_area("header", 512, 512, "primary GPT header");
	add_area("entries", 1024, 16384, "primary GPT entries");
	add_area("backup-entries", image.size - 33 * 512, 32 * 512, "backup GPT entries");
	add_area("backup-header", image.size - 512, 512, "backup GPT header");
	add_area("gap", 17408, 1048576 - 17408, "unpartitioned space");
	while (fscanf(f, "%31s %llu %llu", name, &offset, &size) == 3)
		add_area(name, offset, size,
			strcmp(name, "esp") ? NULL : "EFI system partition");
	fclose(f);
	uint64_t at = find_uki((uint64_t *)&uki_size);
	add_area("uki", at, uki_size, "test_1.efi");
}

static int set_up(void **state)
{
	(void)state;
	char script[512];
	const char *top = getenv("CAIRN_TOP");
	snprintf(script, sizeof script, "%s/tests/make-image", top ? top : ".");
	if (!mkdtemp(directory))
		return -1;
	const char *argv[] = {"bash", script, directory, NULL};
	if (process_run(&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1},
		    NULL) < 0) {
		print_error("%s\n", error_text());
		return -1;
	}
	if (chdir(directory) < 0 || file_open_image(&image, "image.raw", O_RDWR) < 0 ||
		certificates_add(&pins, "root.crt") < 0)
		return -1;
	load_areas();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	file_close(&image);
	certificates_free(&pins);
	const char *argv[] = {"rm", "-rf", directory, NULL};
	return process_run(
		&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1}, NULL);
}

static void verify(struct report *report)
{
	const struct verify_options o = {
		.pins = &pins, .purpose = PURPOSE_ROOT, .jobs = 1};
	*report = (struct report){0};
	assert_int_equal(verify_image(&image, &o, report), 0);
	assert_false(report->incomplete);
}

static void untouched_is_good(void)
{
	AUTO_REPORT report;
	verify(&report);
	if (report.n_faults)
		report_print(&report, "image", stderr);
	assert_int_equal(report.n_faults, 0);
	assert_int_equal(report_finish(&report, "image"), 0);
}

static bool covers(const struct finding *f, uint64_t offset)
{
	return f->place.size && offset >= f->place.offset &&
	       offset - f->place.offset < f->place.size;
}

/* A finding of KIND about the byte at OFFSET, or all of an area with WORD in its name. */
static const struct finding *find(
	const struct report *r, enum finding_kind kind, uint64_t offset, const char *word)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		if (f->kind == kind && (!word || strstr(f->place.area, word)) &&
			(covers(f, offset) || (word && !f->place.size)))
			return f;
	}
	return NULL;
}

static uint8_t change(uint64_t offset, uint8_t mask)
{
	uint8_t byte;
	assert_int_equal(pread(image.fd, &byte, 1, (off_t)offset), 1);
	byte ^= mask;
	assert_int_equal(pwrite(image.fd, &byte, 1, (off_t)offset), 1);
	return byte;
}

/* A generator of our own: the same places on every machine. */
static uint64_t seeded(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* One byte changed. Returns true if a fault tells of it, false if it is uncovered. */
static bool flip(const struct area *a, uint64_t offset, uint8_t mask)
{
	AUTO_REPORT report;
	change(offset, mask);
	verify(&report);
	change(offset, mask);
	const struct finding *f = find(&report, FINDING_FAULT, offset, a->finding);
	if (!f && !find(&report, FINDING_UNCOVERED, offset, NULL)) {
		report_print(&report, "image", stderr);
		fail_msg(
			"%s: change of %02x at offset %ju is neither found nor uncovered",
			a->name, mask, (uintmax_t)offset);
	}
	if (f)
		assert_int_not_equal(report_finish(&report, "image"), 0);
	else if (report.n_faults)
		fail_msg("%s: change at %ju: a fault elsewhere", a->name,
			(uintmax_t)offset);
	return f;
}

/* FLIPS changes at seeded places of the area. Returns how many are uncovered. */
static unsigned flip_area(const char *name)
{
	const struct area *a = area_of(name);
	uint64_t seed = 2026;
	unsigned uncovered = 0;
	untouched_is_good();
	for (const char *p = name; *p; p++)
		seed = seed * 31 + (uint8_t)*p;
	for (int i = 0; i < FLIPS; i++) {
		uint64_t offset = a->offset + seeded(&seed) % a->size;
		uint8_t mask = (uint8_t)(1 + seeded(&seed) % 255);
		uncovered += !flip(a, offset, mask);
	}
	untouched_is_good();
	return uncovered;
}

static void flips_in_the_table(void **state)
{
	(void)state;
	static const char *const names[] = {
		"mbr", "header", "entries", "backup-entries", "backup-header"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(flip_area(names[i]), 0);
}

static void flips_in_data_and_tree(void **state)
{
	(void)state;
	assert_int_equal(flip_area("data"), 0);
	assert_int_equal(flip_area("root"), 0);
	assert_int_equal(flip_area("hash"), 0);
	assert_int_equal(flip_area("verity"), 0);
}

/* Every byte of it, since it is small: only the UUID is uncovered. */
static void flips_in_the_superblock(void **state)
{
	(void)state;
	const struct area *hash = area_of("hash");
	untouched_is_good();
	for (uint64_t i = 0; i < 512; i++) {
		AUTO_REPORT report;
		uint8_t mask = (uint8_t)(1 << i % 8);
		change(hash->offset + i, mask);
		verify(&report);
		change(hash->offset + i, mask);
		assert_int_equal(report.n_faults > 0, i < 16 || i >= 32);
		if (!report.n_faults)
			assert_non_null(
				find(&report, FINDING_UNCOVERED, hash->offset + i, NULL));
	}
	untouched_is_good();
}

static void flips_in_the_signature(void **state)
{
	(void)state;
	assert_int_equal(flip_area("signature"), 0);
	/* The text itself, byte by byte if there is time. */
	const uint64_t step = getenv("CAIRN_LONG") ? 1 : 3;
	const struct area *partition = area_of("signature");
	for (uint64_t i = 0; i < 900; i += step)
		assert_true(
			flip(partition, partition->offset + i, (uint8_t)(1 << i % 8)));
}

static void flips_in_the_uki(void **state)
{
	(void)state;
	assert_int_equal(flip_area("uki"), 0);
}

static void flips_elsewhere(void **state)
{
	(void)state;
	assert_int_equal(flip_area("gap"), 0);
	/* Of the FAT file system the report says that it is not covered, and why. */
	print_message("%u of %d flips in the EFI system partition are uncovered\n",
		flip_area("esp"), FLIPS);
}

/* All 200 at once: every block of them is named, and no other. */
static void many_bad_blocks_are_all_named(void **state)
{
	(void)state;
	const struct area *data = area_of("data");
	bool bad[1024] = {false};
	uint64_t seed = 7, offsets[FLIPS];
	for (int i = 0; i < FLIPS; i++) {
		offsets[i] = data->offset + seeded(&seed) % data->size;
		bad[(offsets[i] - data->offset) / 4096] = true;
		change(offsets[i], (uint8_t)(i + 1));
	}
	AUTO_REPORT report;
	verify(&report);
	for (int i = 0; i < FLIPS; i++)
		change(offsets[i], (uint8_t)(i + 1));
	assert_int_equal(report.status, STATUS_CONTENT);
	for (size_t i = 0; i < report.n_findings; i++) {
		const struct place *p = &report.findings[i].place;
		for (uint64_t b = 0; b < p->n_blocks; b++) {
			assert_string_equal(p->area, "root partition");
			assert_int_equal(p->offset, data->offset + p->block * 4096);
			assert_true(bad[p->block + b]);
			bad[p->block + b] = false;
		}
	}
	for (uint64_t b = 0; b < data->size / 4096; b++)
		assert_false(bad[b]);
	untouched_is_good();
}

static void reports_cannot_drive_a_terminal(void **state)
{
	(void)state;
	AUTO_REPORT report = {0};
	report_fault(&report, STATUS_FORMAT, "esp", &(struct place){.area = "a\x1b[2J"},
		"\xc2\x9bm %s", "\r\xc3\xa9");
	assert_string_equal(report.findings[0].place.area, "a?[2J");
	assert_string_equal(report.findings[0].text, "??m ?\xc3\xa9");
	assert_true(report_finish(&report, "x") < 0);
	assert_int_equal(error_status(), STATUS_FORMAT);
	assert_string_equal(error_text(), "x: a?[2J: ??m ?\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flips_in_the_table),
		cmocka_unit_test(flips_in_data_and_tree),
		cmocka_unit_test(flips_in_the_superblock),
		cmocka_unit_test(flips_in_the_signature),
		cmocka_unit_test(flips_in_the_uki),
		cmocka_unit_test(flips_elsewhere),
		cmocka_unit_test(many_bad_blocks_are_all_named),
		cmocka_unit_test(reports_cannot_drive_a_terminal),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
