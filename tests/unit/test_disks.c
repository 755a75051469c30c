/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/process.h"
#include "initrd/plan/loader.h"

/* The init is no library; its search for disks needs little to run in a test. */
#include "initrd/disks.c"

/*
 * /sys/block and /dev are directories of our own here, in a mount namespace, with a disk
 * whose parts appear one by one, as they do while a driver starts.
 */
#define DISK_SIZE (8u << 20)

static const char script[] =
	"label: gpt\n"
	"2 : start=4096, size=4096, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, "
	"uuid=aabbccdd-eeff-0011-2233-445566778899\n"
	"4 : start=10240, size=2048, type=2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5, "
	"uuid=00000000-0000-0000-0000-000000000003\n";

/* The disk that was booted from has no pair. */
#define BOOT_UUID "12345678-9abc-def0-1122-334455667788"
static const char boot_script[] =
	"label: gpt\n"
	"1 : start=2048, size=2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, "
	"uuid=" BOOT_UUID "\n";

static struct file image, boot_image;
static struct disk_wanted wanted;
static unsigned n_notes, n_found;

void note(const char *format, ...)
{
	(void)format;
	n_notes++;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void put_part(const char *name, const char *start, const char *size)
{
	static const char *const keys[] = {"partition", "start", "size", "dev"};
	const char *const values[] = {"1\n", start, size, "254:2\n"};
	char path[64];
	snprintf(path, sizeof path, "/sys/block/vdz/%s", name);
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "/sys/block/vdz/%s/%s", name, keys[i]);
		put(path, values[i]);
	}
}

static void put_parts(void)
{
	put_part("vdz2", "4096\n", "4096\n");
	put_part("vdz4", "10240\n", "2048\n");
}

static void put_disk(const char *path, const struct file *contents)
{
	struct file node = FILE_CLOSED;
	put(path, "");
	assert_int_equal(file_open_image(&node, path, O_RDWR), 0);
	assert_int_equal(file_copy(contents, 0, &node, 0, DISK_SIZE, false), 0);
	file_close(&node);
}

static void put_node(void)
{
	put_disk("/dev/vdz", &image);
}

static int start(void **state)
{
	(void)state;
	n_notes = n_found = 0;
	n_seen = 0;
	seen_boot = wanted.has_boot = false;
	buffer_free(&seen_text);
	assert_int_equal(mount("none", "/sys/block", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("none", "/dev", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir("/sys/block/vdz", 0755), 0);
	put("/sys/block/vdz/size", "16384\n");
	put("/sys/block/vdz/diskseq", "7\n");
	return 0;
}

static int end(void **state)
{
	(void)state;
	return umount("/dev") || umount("/sys/block");
}

static int take_pair(void *context, struct disk_pair *pair)
{
	(void)context;
	n_found++;
	assert_int_equal(pair->data.offset, 4096 * 512);
	assert_string_equal(pair->data.name, "vdz2");
	assert_string_equal(pair->hash.name, "vdz4");
	disk_pair_free(pair);
	return 1;
}

static int search(void)
{
	return disks_search(&wanted, take_pair, NULL);
}

static void finds_the_pair_once(void **state)
{
	(void)state;
	put_parts();
	put_node();
	assert_int_equal(search(), 1);
	assert_int_equal(search(), 0);
	assert_int_equal(n_found, 1);
	assert_int_equal(n_notes, 0);
	assert_string_equal(disks_seen(), "vdz");
}

static void waits_for_the_device(void **state)
{
	(void)state;
	put_parts();
	assert_int_equal(search(), 0);
	assert_int_equal(search(), 0);
	put_node();
	assert_int_equal(search(), 1);
	assert_int_equal(search(), 0);
	assert_int_equal(n_found, 1);
	assert_int_equal(n_notes, 0);
}

static void waits_for_the_partitions(void **state)
{
	(void)state;
	put_node();
	assert_int_equal(search(), 0);
	put_parts();
	assert_int_equal(search(), 1);
	assert_int_equal(n_found, 1);
}

static void gives_up_a_dead_disk(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LOOKS_MAX + 5; i++)
		assert_int_equal(search(), 0);
	assert_int_equal(n_notes, 1);
	assert_string_equal(disks_seen(), "vdz (no partition table)");
	put_parts();
	put_node();
	assert_int_equal(search(), 0);
	/* Another disk under the same name is another matter. */
	put("/sys/block/vdz/diskseq", "8\n");
	assert_int_equal(search(), 1);
}

static void passes_over_a_disk_without_a_table(void **state)
{
	(void)state;
	put("/dev/vdz", "nothing");
	assert_int_equal(search(), 0);
	assert_int_equal(search(), 0);
	assert_int_equal(n_notes, 1);
	assert_string_equal(disks_seen(), "vdz (no partition table)");
}

static void prefer_boot_disk(void)
{
	wanted.has_boot = true;
	assert_int_equal(uuid_decode(BOOT_UUID, wanted.boot), 0);
}

static void looks_at_the_boot_disk_first(void **state)
{
	(void)state;
	prefer_boot_disk();
	put_parts();
	put_node();
	assert_int_equal(search(), 0);
	assert_int_equal(disks_put_off(), 1);
	/* It is there, but not ready. */
	assert_int_equal(mkdir("/sys/block/vdy", 0755), 0);
	put("/sys/block/vdy/size", "16384\n");
	assert_int_equal(search(), 0);
	assert_int_equal(disks_put_off(), 1);
	assert_int_equal(n_found, 0);
	put_disk("/dev/vdy", &boot_image);
	assert_int_equal(search(), 1);
	assert_int_equal(disks_put_off(), 0);
	assert_int_equal(search(), 0);
	assert_int_equal(n_found, 1);
	assert_int_equal(n_notes, 0);
	assert_string_equal(disks_seen(), "vdy, vdz");
}

static void takes_the_boot_disk_at_once(void **state)
{
	(void)state;
	wanted.has_boot = true;
	memcpy(wanted.boot, wanted.data, 16);
	put_parts();
	put_node();
	assert_int_equal(search(), 1);
	assert_int_equal(disks_put_off(), 0);
}

static void takes_another_when_told_so(void **state)
{
	(void)state;
	prefer_boot_disk();
	put_parts();
	put_node();
	assert_int_equal(search(), 0);
	assert_int_equal(search(), 0);
	assert_int_equal(disks_put_off(), 1);
	wanted.has_boot = false;
	assert_int_equal(search(), 1);
	assert_int_equal(n_found, 1);
}

/* As efivarfs has it: N letters of TEXT in UTF-16 behind the attributes. */
static struct span variable(const char *text, size_t n, uint8_t data[128])
{
	memset(data, 0, 128);
	data[0] = 6;
	for (size_t i = 0; i < n; i++)
		data[4 + 2 * i] = (uint8_t)text[i];
	return span_of(data, 4 + 2 * n);
}

static void loader_partition_is_parsed_strictly(void **state)
{
	(void)state;
	static const char good[] = "2C7357ED-ebd2-46d9-aec1-23d437ec2bf5";
	uint8_t data[128], uuid[16], expected[16];
	assert_int_equal(uuid_decode(good, expected), 0);
	assert_true(loader_partition(variable(good, 36, data), uuid));
	assert_memory_equal(uuid, expected, 16);
	memset(uuid, 0, 16);
	assert_true(loader_partition(variable(good, 37, data), uuid));
	assert_memory_equal(uuid, expected, 16);
	/* Every other size, down to nothing; and one letter too many behind the NUL. */
	for (size_t size = 0; size < 128; size++)
		if (size != 4 + 72 && size != 4 + 74) {
			variable(good, 37, data);
			assert_false(loader_partition(span_of(data, size), uuid));
		}
	variable(good, 37, data);
	data[4 + 72] = '0';
	assert_false(loader_partition(span_of(data, 4 + 74), uuid));
	/* Every letter: not a digit, not in ASCII, or the end too early. */
	for (size_t i = 0; i < 36; i++) {
		static const uint8_t bad[] = {0, 'g', ' ', 0x80, 0xff};
		for (size_t k = 0; k < sizeof bad; k++) {
			variable(good, 37, data);
			data[4 + 2 * i] = bad[k];
			assert_false(loader_partition(span_of(data, 4 + 74), uuid));
		}
		variable(good, 37, data);
		data[4 + 2 * i + 1] = 1;
		assert_false(loader_partition(span_of(data, 4 + 74), uuid));
	}
}

static void make_image(struct file *f, struct span commands)
{
	struct file text;
	char path[32];
	assert_int_equal(file_in_memory(&text, "script", commands), 0);
	assert_int_equal(ftruncate(text.fd, (off_t)commands.size), 0);
	assert_int_equal(lseek(text.fd, 0, SEEK_SET), 0);
	assert_int_equal(file_in_memory(f, "disk", (struct span){0}), 0);
	assert_int_equal(ftruncate(f->fd, DISK_SIZE), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
	const char *argv[] = {"sfdisk", "-q", path, NULL};
	struct process p = {.argv = argv,
		.keep_fds = &f->fd,
		.n_keep_fds = 1,
		.stdin_fd = text.fd,
		.stdout_fd = -1};
	assert_int_equal(process_run(&p, NULL), 0);
	file_close(&text);
}

static int make_disk(void **state)
{
	(void)state;
	make_image(&image, span_of(script, sizeof script - 1));
	make_image(&boot_image, span_of(boot_script, sizeof boot_script - 1));
	assert_int_equal(
		uuid_decode("aabbccdd-eeff-0011-2233-445566778899", wanted.data), 0);
	assert_int_equal(
		uuid_decode("00000000-0000-0000-0000-000000000003", wanted.hash), 0);
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int drop_disk(void **state)
{
	(void)state;
	buffer_free(&seen_text);
	file_close(&image);
	file_close(&boot_image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_pair_once, start, end),
		cmocka_unit_test_setup_teardown(waits_for_the_device, start, end),
		cmocka_unit_test_setup_teardown(waits_for_the_partitions, start, end),
		cmocka_unit_test_setup_teardown(gives_up_a_dead_disk, start, end),
		cmocka_unit_test_setup_teardown(
			passes_over_a_disk_without_a_table, start, end),
		cmocka_unit_test_setup_teardown(looks_at_the_boot_disk_first, start, end),
		cmocka_unit_test(loader_partition_is_parsed_strictly),
		cmocka_unit_test_setup_teardown(takes_the_boot_disk_at_once, start, end),
		cmocka_unit_test_setup_teardown(takes_another_when_told_so, start, end),
	};
	return cmocka_run_group_tests_name("disks", tests, make_disk, drop_disk);
}
