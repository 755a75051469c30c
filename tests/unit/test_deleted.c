/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "verifier/deleted_ext4.h"

/* Deleted files of images that no kernel would mount. */

#define SUPER        1024
#define INODES_COUNT (SUPER + 0)
#define FIRST_DATA   (SUPER + 0x14)
#define PER_GROUP    (SUPER + 0x28)

static char path[] = "/tmp/cairn-unit.XXXXXX";
static struct file image;

static int start(void **state)
{
	char command[512];
	(void)state;
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	snprintf(command, sizeof command,
		"PATH=$PATH:/sbin:/usr/sbin; truncate -s 4M %s && "
		"export E2FSPROGS_FAKE_TIME=1600000000; "
		"mke2fs -q -F -t ext4 -b 1024 -O ^metadata_csum -U clear "
		"-E hash_seed=11111111-2222-4333-8444-555555555555 %s && "
		"debugfs -w -R 'symlink gone nowhere' %s >/dev/null 2>&1 && "
		"debugfs -w -R 'rm gone' %s >/dev/null 2>&1",
		path, path, path, path);
	return system(command) || file_open_image(&image, path, O_RDWR) < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	file_close(&image);
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	return 0;
}

static int take(void *context, const struct deleted_file *file)
{
	char *name = context;
	assert_true(file->path.size < 64);
	memcpy(name, file->path.data, file->path.size);
	name[file->path.size] = 0;
	return 0;
}

static void overwrite(uint64_t offset, uint32_t value)
{
	assert_int_equal(file_write(&image, &value, sizeof value, offset), 0);
}

static int search(uint64_t size, uint64_t *n_files)
{
	char name[64] = "";
	struct deleted_search s = {.take = take, .context = name};
	int r = deleted_ext4(&s, &image, 0, size);
	*n_files = s.n_files;
	if (r == 0 && s.n_files)
		assert_string_equal(name, "gone");
	return r;
}

static void finds_the_name(void **state)
{
	uint64_t n;
	(void)state;
	assert_int_equal(search(image.size, &n), 0);
	assert_int_equal(n, 1);
}

static void refuses_absurd_counts(void **state)
{
	uint64_t n;
	(void)state;
	static const struct {
		uint64_t at;
		uint32_t value;
	} absurd[] = {{INODES_COUNT, 0xfffffff0}, {PER_GROUP, 0xfffffff0},
		{FIRST_DATA, 0xfffffff0}, {INODES_COUNT, 0}};
	for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
		uint32_t before;
		assert_int_equal(
			file_read(&image, &before, sizeof before, absurd[i].at), 0);
		overwrite(absurd[i].at, absurd[i].value);
		assert_true(search(image.size, &n) < 0);
		assert_int_equal(error_status(), STATUS_FORMAT);
		assert_null(strchr(error_text(), '\n'));
		overwrite(absurd[i].at, before);
		assert_int_equal(search(image.size, &n), 0);
	}
	assert_true(search(image.size / 2, &n) < 0);
	assert_true(search(0, &n) < 0);
}

static int ignore(void *context, const struct deleted_file *file)
{
	(void)context;
	assert_in_range(file->path.size, 0, 65536 + 256);
	return 0;
}

/* Whatever is in inodes and directories, the first quarter: it comes to an end. */
static void survives_noise(void **state)
{
	uint8_t piece[64];
	uint32_t random = 1;
	unsigned good = 0;
	(void)state;
	for (int i = 0; i < 400; i++) {
		for (size_t j = 0; j < sizeof piece; j++) {
			random = random * 1664525 + 1013904223;
			piece[j] = (uint8_t)(random >> 24);
		}
		uint64_t at = 4096 + (random >> 8) % (image.size / 4);
		struct deleted_search s = {.take = ignore};
		assert_int_equal(file_write(&image, piece, sizeof piece, at), 0);
		good += deleted_ext4(&s, &image, 0, image.size) == 0;
	}
	assert_true(good > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)
	const struct CMUnitTest tests[] = {
		TEST(finds_the_name), TEST(refuses_absurd_counts), TEST(survives_noise)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
