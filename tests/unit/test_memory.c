/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "verifier/examine/memory.h"

#define SIZE 10000

/* What was sealed stays what it was, whoever tries, and however it is opened. */
static void nobody_writes_to_sealed_memory(void **unused)
{
	struct memory m;
	char path[32], byte = 'x';
	(void)unused;
	assert_int_equal(memory_make(&m, "test", SIZE), 0);
	memset(m.data, 'a', SIZE);
	assert_int_equal(pwrite(m.fd, &byte, 1, 5), 1);
	assert_int_equal(memory_seal(&m), 0);
	assert_true(m.is_sealed);
	assert_int_equal(m.data[5], 'x');
	assert_int_equal(pwrite(m.fd, &byte, 1, 6), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(m.fd, SIZE + 1), -1);
	assert_int_equal(ftruncate(m.fd, 0), -1);
	assert_int_equal(
		fallocate(m.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 9), -1);
	assert_int_equal(fcntl(m.fd, F_ADD_SEALS, F_SEAL_GROW), -1);
	assert_ptr_equal(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, m.fd, 0), MAP_FAILED);
	snprintf(path, sizeof path, "/proc/self/fd/%d", m.fd);
	int again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0)
		assert_int_equal(pwrite(again, &byte, 1, 6), -1);
	assert_int_equal(m.data[6], 'a');
	close(again);
	memory_free(&m);
	memory_free(&m);
}

/* A mapping that could still write would make the seal a lie: it is refused. */
static void memory_that_is_mapped_elsewhere_is_not_sealed(void **unused)
{
	struct memory m;
	(void)unused;
	assert_int_equal(memory_make(&m, "test", SIZE), 0);
	char *other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	assert_ptr_not_equal(other, MAP_FAILED);
	assert_true(memory_seal(&m) < 0);
	assert_false(m.is_sealed);
	munmap(other, SIZE);
	assert_int_equal(memory_seal(&m), 0);
	memory_free(&m);
}

static void empty_memory(void **unused)
{
	struct memory m;
	(void)unused;
	assert_int_equal(memory_make(&m, "test", 0), 0);
	assert_int_equal(memory_seal(&m), 0);
	assert_null(m.data);
	memory_free(&m);
	assert_true(memory_make(&m, "test", UINT64_MAX) < 0);
	memory_free(&m);
	assert_true(memory_room() > 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_writes_to_sealed_memory),
		cmocka_unit_test(memory_that_is_mapped_elsewhere_is_not_sealed),
		cmocka_unit_test(empty_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
