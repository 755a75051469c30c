/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/esp.h"
#include "core/fat.h"
#include "core/process.h"

#define MIB (1u << 20)

static char long_contents[300000];

static const struct esp_file files[] = {
	{"EFI/Linux/os_with_a_rather_long_name_1.0+3.efi", SPAN(long_contents)},
	{"EFI/BOOT/BOOTX64.EFI", SPAN("loader")},
	{"loader/loader.conf", SPAN("timeout 0\n")},
	{"loader/empty", {NULL, 0}},
	{"EFI/Linux/zw\xc3\xb6lf \xe2\x82\xac.efi", SPAN("names beyond ASCII")},
};
#define N_FILES (sizeof files / sizeof files[0])

static void fill(void)
{
	for (size_t i = 0; i < sizeof long_contents; i++)
		long_contents[i] = (char)((i % 251) ^ (i / 509));
}

/* A file system of the given kind made by other programs, in memory. */
static void make(struct file *f, const char *bits, unsigned size, const char *per_cluster)
{
	char path[32];
	assert_int_equal(file_in_memory(f, "fat", (struct span){0}), 0);
	assert_int_equal(ftruncate(f->fd, size), 0);
	f->size = size;
	snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
	const char *format[] = {"mkfs.vfat", "-F", bits, "-s", per_cluster, "-n", "TEST",
		"-i", "cafe0123", path, NULL};
	struct process p = {.argv = format,
		.keep_fds = &f->fd,
		.n_keep_fds = 1,
		.stdin_fd = -1,
		.stdout_fd = -1};
	assert_int_equal(process_run(&p, NULL), 0);
	const char *dirs[] = {"mmd", "-i", path, "::/EFI", "::/EFI/Linux", "::/EFI/BOOT",
		"::/loader", NULL};
	p.argv = dirs;
	assert_int_equal(process_run(&p, NULL), 0);
	for (size_t i = 0; i < N_FILES; i++) {
		AUTO_FILE contents = FILE_CLOSED;
		assert_int_equal(file_in_memory(&contents, "c", files[i].contents), 0);
		assert_int_equal(lseek(contents.fd, 0, SEEK_SET), 0);
		char target[128];
		snprintf(target, sizeof target, "::/%s", files[i].path);
		const char *copy[] = {
			"env", "LC_ALL=C.UTF-8", "mcopy", "-i", path, "-", target, NULL};
		p = (struct process){.argv = copy,
			.keep_fds = &f->fd,
			.n_keep_fds = 1,
			.stdin_fd = contents.fd,
			.stdout_fd = -1};
		assert_int_equal(process_run(&p, NULL), 0);
	}
}

static void check_contents(const struct fat *fat)
{
	for (size_t i = 0; i < N_FILES; i++) {
		struct fat_entry e;
		BUFFER b = {0};
		assert_int_equal(fat_find(fat, files[i].path, &e), 0);
		assert_int_equal(e.size, files[i].contents.size);
		assert_int_equal(fat_read(fat, &e, 1 << 20, &b), 0);
		assert_int_equal(b.size, files[i].contents.size);
		if (b.size)
			assert_memory_equal(b.data, files[i].contents.data, b.size);
	}
}

static void reads_what_others_wrote(void **state)
{
	(void)state;
	static const struct {
		unsigned bits, size;
		const char *text, *per_cluster;
	} kinds[] = {{12, 2 * MIB, "12", "2"}, {16, 16 * MIB, "16", "2"},
		{16, 20 * MIB, "16", "1"}, {32, 40 * MIB, "32", "1"}};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		AUTO_FILE f = FILE_CLOSED;
		struct fat fat;
		make(&f, kinds[i].text, kinds[i].size, kinds[i].per_cluster);
		assert_int_equal(fat_open(&fat, &f, 0, f.size), 0);
		assert_int_equal(fat.bits, kinds[i].bits);
		assert_int_equal(fat.volume_id, 0xcafe0123);
		assert_string_equal(fat.label, "TEST");
		check_contents(&fat);
	}
}

static int count(void *context, const struct fat_entry *entry)
{
	(void)entry;
	++*(unsigned *)context;
	return 0;
}

static void lists_and_finds(void **state)
{
	(void)state;
	AUTO_FILE f = FILE_CLOSED;
	struct fat fat;
	struct fat_entry e;
	BUFFER b = {0};
	make(&f, "32", 40 * MIB, "1");
	assert_int_equal(fat_open(&fat, &f, 0, f.size), 0);
	assert_int_equal(fat_find(&fat, "/efi//linux", &e), 0);
	assert_true(e.is_directory);
	unsigned n = 0;
	assert_int_equal(fat_list(&fat, &e, count, &n), 0);
	assert_int_equal(n, 2);
	assert_true(fat_read(&fat, &e, 100, &b) < 0);
	assert_int_equal(fat_find(&fat, "EFI/absent", &e), -ENOENT);
	assert_int_equal(fat_find(&fat, "loader/loader.conf/x", &e), -EINVAL);
	assert_int_equal(fat_find(&fat, "loader/loader.conf", &e), 0);
	assert_true(fat_read(&fat, &e, 5, &b) < 0);
	assert_non_null(strstr(error_text(), "more than the 5 allowed"));
}

static int keep_last(void *context, const struct fat_entry *entry)
{
	*(struct fat_entry *)context = *entry;
	return 0;
}

/* The only file of EFI/BOOT once the bytes FROM of its slot were replaced. */
static struct fat_entry list_changed(
	const struct file *f, const struct fat *fat, const char *from, const char *to)
{
	struct fat_entry directory, e = {.name = ""};
	BUFFER whole = {0};
	assert_int_equal(buffer_append_zeros(&whole, (size_t)f->size), 0);
	assert_int_equal(file_read(f, whole.data, whole.size, 0), 0);
	uint8_t *at = memmem(whole.data, whole.size, from, strlen(from));
	assert_non_null(at);
	uint64_t offset = (uint64_t)(at - whole.data);
	assert_int_equal(file_write(f, to, strlen(to), offset), 0);
	assert_int_equal(fat_find(fat, "EFI/BOOT", &directory), 0);
	assert_int_equal(fat_list(fat, &directory, keep_last, &e), 0);
	return e;
}

static void no_name_hides_a_program(void **state)
{
	(void)state;
	AUTO_FILE f = FILE_CLOSED;
	struct fat fat;
	struct fat_entry e;
	make(&f, "16", 16 * MIB, "2");
	assert_int_equal(fat_open(&fat, &f, 0, f.size), 0);
	e = list_changed(&f, &fat, "BOOTX64 EFI", ".OOTX64 EFI");
	assert_string_equal(e.name, ".OOTX64.EFI");
	assert_true(fat_is_program(&e));
	e = list_changed(&f, &fat, ".OOTX64 EFI", "BOOTX64 TXT");
	assert_string_equal(e.name, "BOOTX64.TXT");
	assert_false(fat_is_program(&e));
	/* A long name and a short one: each alone makes it a program. */
	assert_int_equal(fat_find(&fat, files[0].path, &e), 0);
	assert_true(fat_is_program(&e));
	assert_string_not_equal(e.short_name, e.name);
	strcpy(e.name, "readme.txt");
	assert_true(fat_is_program(&e));
	strcpy(e.short_name, "README.TXT");
	assert_false(fat_is_program(&e));
	strcpy(e.name, "os.EfI");
	assert_true(fat_is_program(&e));
	e.is_directory = true;
	assert_false(fat_is_program(&e));
}

/* The boot sector with one field changed must be refused, and the untouched one not. */
static void refuses_absurd_numbers(void **state)
{
	(void)state;
	static const struct {
		unsigned at, size;
		uint32_t value;
	} faults[] = {
		{11, 2, 0},
		{11, 2, 513},
		{11, 2, 8192},
		{13, 1, 0},
		{13, 1, 3},
		{14, 2, 0},
		{16, 1, 0},
		{19, 2, 100},
		{32, 4, 0xffffffff},
		{32, 4, 10},
		{36, 4, 0},
		{36, 4, 1},
		{36, 4, 0x7fffffff},
		{510, 2, 0},
		{22, 2, 1},
	};
	AUTO_FILE f = FILE_CLOSED;
	struct fat fat;
	make(&f, "32", 40 * MIB, "1");
	uint8_t good[512], bad[512];
	assert_int_equal(file_read(&f, good, sizeof good, 0), 0);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		memcpy(bad, good, sizeof bad);
		for (unsigned j = 0; j < faults[i].size; j++)
			bad[faults[i].at + j] = (uint8_t)(faults[i].value >> 8 * j);
		assert_int_equal(file_write(&f, bad, sizeof bad, 0), 0);
		assert_int_equal(fat_open(&fat, &f, 0, f.size), -EINVAL);
		assert_int_equal(error_status(), STATUS_FORMAT);
	}
	assert_int_equal(file_write(&f, good, sizeof good, 0), 0);
	assert_int_equal(fat_open(&fat, &f, 0, f.size), 0);
	assert_int_equal(fat_open(&fat, &f, 0, f.size + 1), -EINVAL);
	assert_int_equal(fat_open(&fat, &f, UINT64_MAX, 4096), -EINVAL);
	assert_int_equal(fat_open(&fat, &f, 0, f.size / 2), -EINVAL);
}

static void set_next(const struct fat *fat, uint32_t cluster, uint32_t next)
{
	uint8_t value[4];
	put_le32(value, next);
	assert_int_equal(file_write(fat->file, value, 4, fat->table + 4ull * cluster), 0);
}

static void ends_on_broken_chains(void **state)
{
	(void)state;
	AUTO_FILE f = FILE_CLOSED;
	struct fat fat;
	struct fat_entry e;
	make(&f, "32", 40 * MIB, "1");
	assert_int_equal(fat_open(&fat, &f, 0, f.size), 0);
	assert_int_equal(fat_find(&fat, files[0].path, &e), 0);
	static const uint32_t wrong[] = {0, 1, 0x0ffffff7, 0x0fffffff};
	for (size_t i = 0; i < 4; i++) {
		BUFFER b = {0};
		set_next(&fat, e.cluster + 3, wrong[i]);
		assert_true(fat_read(&fat, &e, MIB, &b) < 0);
		assert_int_equal(error_status(), STATUS_FORMAT);
	}
	set_next(&fat, e.cluster + 3, e.cluster + 4);
	check_contents(&fat);
	/* A directory whose chain is a loop would have no end. */
	assert_int_equal(fat_find(&fat, "EFI", &e), 0);
	uint8_t full[512];
	memset(full, 0xe5, sizeof full);
	assert_int_equal(
		file_write(&f, full, 512, fat.data + (e.cluster - 2) * 512ull), 0);
	set_next(&fat, e.cluster, e.cluster);
	unsigned n = 0;
	assert_true(fat_list(&fat, &e, count, &n) < 0);
	assert_non_null(strstr(error_text(), "no end"));
}

static struct esp esp_of(uint64_t size)
{
	return (struct esp){.files = files,
		.n_files = 4,
		.size = size,
		.volume_id = 0x1234abcd,
		.epoch = 1700000001};
}

static void replacing_equals_making(void **state)
{
	(void)state;
	AUTO_FILE a = FILE_CLOSED, b = FILE_CLOSED, other = FILE_CLOSED;
	struct esp esp = esp_of(esp_size(sizeof long_contents));
	assert_int_equal(file_in_memory(&a, "a", (struct span){0}), 0);
	assert_int_equal(file_in_memory(&b, "b", (struct span){0}), 0);
	assert_int_equal(esp_make(&esp, &a), 0);
	/* At an offset, with something before and behind that must stay. */
	assert_int_equal(ftruncate(b.fd, (off_t)(esp.size + 2 * MIB)), 0);
	b.size = esp.size + 2 * MIB;
	a.size = esp.size;
	assert_int_equal(file_copy(&a, 0, &b, MIB, esp.size, true), 0);
	struct esp_file new[4];
	memcpy(new, files, sizeof new);
	new[0].contents = span_of(long_contents, sizeof long_contents - 1000);
	new[1].contents = SPAN("another and longer loader");
	esp.files = new;
	assert_int_equal(esp_make(&esp, &a), 0);
	assert_int_equal(esp_replace(&b, MIB, esp.size, new, 2), 0);
	BUFFER x = {0}, y = {0};
	assert_int_equal(buffer_append_zeros(&x, esp.size), 0);
	assert_int_equal(buffer_append_zeros(&y, esp.size), 0);
	assert_int_equal(file_read(&a, x.data, x.size, 0), 0);
	assert_int_equal(file_read(&b, y.data, y.size, MIB), 0);
	assert_true(memcmp(x.data, y.data, x.size) == 0);
	assert_int_equal(esp_replace(&b, MIB, esp.size, &files[4], 1), -ENOENT);
	/* What others made would lose something; it is refused and stays as it was. */
	make(&other, "32", 40 * MIB, "1");
	assert_int_equal(esp_replace(&other, 0, other.size, new, 1), -ENOTSUP);
	struct fat fat;
	assert_int_equal(fat_open(&fat, &other, 0, other.size), 0);
	check_contents(&fat);
}

int main(void)
{
	fill();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_others_wrote),
		cmocka_unit_test(lists_and_finds),
		cmocka_unit_test(no_name_hides_a_program),
		cmocka_unit_test(refuses_absurd_numbers),
		cmocka_unit_test(ends_on_broken_chains),
		cmocka_unit_test(replacing_equals_making),
	};
	return cmocka_run_group_tests_name("fat", tests, NULL, NULL);
}
