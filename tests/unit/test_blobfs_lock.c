/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "blobfs/device.h"

/* Each open file has locks of its own: one writer, any readers, and an end to waiting. */
static void locks_exclude_and_time_out(void **state)
{
	(void)state;
	char path[] = "/tmp/cairn-locks.XXXXXX";
	struct file f[3] = {FILE_CLOSED, FILE_CLOSED, FILE_CLOSED};
	struct blobfs_device on_file;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(file_open_image(&f[i], path, O_RDWR), 0);
	assert_int_equal(blobfs_lock_writer(&f[0], 0), 0);
	assert_int_equal(blobfs_lock_writer(&f[1], 50), -ETIMEDOUT);
	assert_int_equal(error_status(), STATUS_TIMEOUT);
	/* Readers wait for no writer, and a writer learns of them. */
	assert_int_equal(blobfs_device_on_file(&on_file, &f[0]), 0);
	assert_false(on_file.has_readers(on_file.context));
	assert_int_equal(blobfs_lock_reader(&f[1], 0), 0);
	assert_int_equal(blobfs_lock_reader(&f[2], 0), 0);
	assert_true(on_file.has_readers(on_file.context));
	file_close(&f[1]);
	assert_true(on_file.has_readers(on_file.context));
	file_close(&f[2]);
	assert_false(on_file.has_readers(on_file.context));
	/* The lock ends with whoever held it. */
	blobfs_device_close(&on_file);
	file_close(&f[0]);
	assert_int_equal(file_open_image(&f[1], path, O_RDWR), 0);
	assert_int_equal(blobfs_lock_writer(&f[1], 0), 0);
	file_close(&f[1]);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_exclude_and_time_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
