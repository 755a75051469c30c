/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libfdisk/libfdisk.h>

#include "core/crc32.h"
#include "core/dps.h"
#include "core/gpt.h"
#include "core/hex.h"
#include "core/process.h"

/*
 * Disks partitioned by libfdisk, an independent writer of the format, are read, and then
 * read again with one thing wrong. Checksums are made right again where it matters, so
 * that the check behind the checksum is the one that has to answer.
 */
#define DISK_SIZE (8 << 20)

#define ESP_TYPE    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define ROOT_TYPE   "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define VERITY_TYPE "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5"
#define ROOT_UUID   "aabbccdd-eeff-0011-2233-445566778899"

static uint8_t original[DISK_SIZE], disk[DISK_SIZE];
static uint32_t sector;

static int read_memory(void *context, void *data, size_t size, uint64_t offset)
{
	(void)context;
	assert_true(offset <= DISK_SIZE && size <= DISK_SIZE - offset);
	memcpy(data, disk + offset, size);
	return 0;
}

static int read_disk(struct gpt *gpt, uint32_t sector_size, uint64_t size)
{
	struct gpt_source source = {.read = read_memory, .size = size, .name = "disk"};
	return gpt_read(&source, sector_size, gpt);
}

static void add(struct fdisk_context *c, size_t n, uint64_t offset, uint64_t size,
	const char *type, const char *uuid, const char *name)
{
	struct fdisk_partition *p = fdisk_new_partition();
	struct fdisk_parttype *t =
		fdisk_label_get_parttype_from_string(fdisk_get_label(c, NULL), type);
	fdisk_partition_set_partno(p, n);
	fdisk_partition_set_start(p, offset / sector);
	fdisk_partition_set_size(p, size / sector);
	fdisk_partition_set_type(p, t);
	fdisk_partition_set_uuid(p, uuid);
	fdisk_partition_set_name(p, name);
	assert_int_equal(fdisk_add_partition(c, p, NULL), 0);
	fdisk_unref_partition(p);
}

/* Entry 3 of the table (number 4) is used, 2 is not: numbers are not positions. */
static void partition(const char *path)
{
	struct fdisk_context *c = fdisk_new_context();
	fdisk_disable_dialogs(c, 1);
	fdisk_save_user_sector_size(c, sector, sector);
	assert_int_equal(fdisk_assign_device(c, path, 0), 0);
	assert_int_equal(fdisk_create_disklabel(c, "gpt"), 0);
	add(c, 0, 1 << 20, 1 << 20, ESP_TYPE, "00000000-0000-0000-0000-000000000001",
		"esp");
	add(c, 1, 2 << 20, 2 << 20, ROOT_TYPE, ROOT_UUID, "r\xc3\xb6\xe2\x82\xac");
	add(c, 3, 5 << 20, 1 << 20, VERITY_TYPE, "00000000-0000-0000-0000-000000000003",
		"");
	assert_int_equal(fdisk_gpt_set_partition_attrs(c, 1, GPT_READ_ONLY), 0);
	assert_int_equal(fdisk_write_disklabel(c), 0);
	assert_int_equal(fdisk_deassign_device(c, 1), 0);
	fdisk_unref_context(c);
}

static void make_disk(uint32_t sector_size)
{
	char path[] = "/tmp/cairn-gpt.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
	sector = sector_size;
	setenv("LC_ALL", "C.UTF-8", 1);
	partition(path);
	assert_int_equal(pread(fd, original, DISK_SIZE, 0), DISK_SIZE);
	close(fd);
	unlink(path);
	memcpy(disk, original, DISK_SIZE);
}

static int disk_512(void **state)
{
	(void)state;
	make_disk(512);
	return 0;
}

static uint8_t *header(void)
{
	return disk + sector;
}

static uint8_t *entry(unsigned i)
{
	return disk + 2 * sector + 128 * (size_t)i;
}

/* Makes the checksums of the primary copy right again. */
static void seal(void)
{
	uint32_t n = get_le32(header() + 80) * get_le32(header() + 84);
	put_le32(header() + 88, crc32_of(0, entry(0), n <= 1 << 20 ? n : 0));
	put_le32(header() + 16, 0);
	put_le32(header() + 16, crc32_of(0, header(), 92));
}

static void wipe_backup(void)
{
	memset(disk + DISK_SIZE - sector, 0, sector);
}

static void check_contents(const struct gpt *gpt)
{
	char text[UUID_TEXT_SIZE];
	assert_int_equal(gpt->n_partitions, 3);
	const struct gpt_partition *p = gpt->partitions;
	assert_string_equal(p[0].name, "esp");
	assert_int_equal(dps_by_uuid(p[0].type)->role, DPS_ESP);
	assert_int_equal(p[1].offset, 2 << 20);
	assert_int_equal(p[1].size, 2 << 20);
	assert_int_equal(p[1].attributes, GPT_READ_ONLY);
	assert_string_equal(p[1].name, "r\xc3\xb6\xe2\x82\xac");
	assert_string_equal(uuid_encode(p[1].uuid, text), ROOT_UUID);
	assert_string_equal(dps_by_uuid(p[1].type)->name, "root-x86-64");
	assert_int_equal(p[2].number, 4);
	assert_int_equal(dps_by_uuid(p[2].type)->role, DPS_ROOT_VERITY);
	assert_ptr_equal(gpt_by_uuid(gpt, p[1].uuid), &p[1]);
	assert_null(gpt_by_uuid(gpt, p[1].type));
}

/* A disk as sfdisk 2.38 left it: tests/golden/gpt.hex has the lines that are not zero. */
static void reads_the_golden_disk(void **state)
{
	(void)state;
	char path[512], line[256];
	const char *top = getenv("CAIRN_TOP");
	snprintf(path, sizeof path, "%s/tests/golden/gpt.hex", top ? top : ".");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	memset(disk, 0, sizeof disk);
	while (fgets(line, sizeof line, f)) {
		unsigned at;
		char hex[33];
		if (sscanf(line, "%8x %32s", &at, hex) != 2 || *line == '#')
			continue;
		assert_true(at <= DISK_SIZE - 16);
		assert_int_equal(hex_decode(hex, disk + at, 16), 0);
	}
	fclose(f);
	AUTO_GPT gpt;
	char text[UUID_TEXT_SIZE];
	assert_int_equal(read_disk(&gpt, 0, DISK_SIZE), 0);
	assert_true(gpt_sound(&gpt));
	assert_string_equal(
		uuid_encode(gpt.disk_uuid, text), "11111111-2222-3333-4444-555555555555");
	assert_int_equal(gpt.usable_end, DISK_SIZE - 33 * 512);
	check_contents(&gpt);
}

static void reads_both_sector_sizes(void **state)
{
	(void)state;
	for (uint32_t size = 512; size <= 4096; size *= 8) {
		make_disk(size);
		AUTO_GPT gpt;
		assert_int_equal(read_disk(&gpt, 0, DISK_SIZE), 0);
		for (int i = 0; i < GPT_N_PARTS; i++)
			assert_string_equal(gpt.areas[i].fault, "");
		assert_true(gpt_sound(&gpt));
		assert_int_equal(gpt.sector_size, size);
		assert_int_equal(gpt.areas[GPT_BACKUP_HEADER].offset, DISK_SIZE - size);
		assert_false(gpt.from_backup);
		check_contents(&gpt);
		gpt_free(&gpt);
		assert_int_equal(
			read_disk(&gpt, size == 512 ? 4096 : 512, DISK_SIZE), -EINVAL);
		assert_int_equal(gpt.n_partitions, 0);
	}
}

/* A byte flipped in each area is found there, and the other copy is used. */
static void flips_are_named(void **state)
{
	disk_512(state);
	AUTO_GPT gpt;
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	struct gpt_area areas[GPT_N_PARTS];
	memcpy(areas, gpt.areas, sizeof areas);
	for (int part = 0; part < GPT_N_PARTS; part++)
		for (uint64_t i = 0; i < areas[part].size;
			i += part == GPT_HEADER || part == GPT_BACKUP_HEADER ? 1 : 11) {
			uint64_t at = areas[part].offset + i;
			disk[at] ^= (uint8_t)(1 << at % 8);
			gpt_free(&gpt);
			assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
			if (!*gpt.areas[part].fault)
				fail_msg("flip at %ju not found", (uintmax_t)at);
			assert_int_equal(gpt.from_backup,
				part == GPT_HEADER || part == GPT_ENTRIES);
			check_contents(&gpt);
			disk[at] = original[at];
		}
	gpt_free(&gpt);
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_true(gpt_sound(&gpt));
}

/* The primary copy says PATTERN, and with no backup the table is refused. */
static void refuses(const char *pattern)
{
	AUTO_GPT gpt;
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_true(gpt.from_backup);
	gpt_free(&gpt);
	wipe_backup();
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), -EINVAL);
	assert_int_equal(error_status(), STATUS_FORMAT);
	if (!strstr(error_text(), pattern))
		fail_msg("no \"%s\" in: %s", pattern, error_text());
	assert_int_equal(gpt.n_partitions, 0);
	memcpy(disk, original, DISK_SIZE);
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
}

static void absurd_headers_are_refused(void **state)
{
	disk_512(state);
	static const struct {
		unsigned at, size;
		uint64_t value;
		const char *pattern;
	} cases[] = {
		{0, 4, 0, "no signature"},
		{8, 4, 0x20000, "unknown revision"},
		{12, 4, 91, "header size"},
		{12, 4, 513, "header size"},
		{12, 4, UINT32_MAX, "header size"},
		{20, 4, 1, "reserved"},
		{24, 8, 2, "says it is sector 2"},
		{40, 8, 33, "overlap"},
		{40, 8, UINT64_MAX, "usable"},
		{48, 8, UINT64_MAX, "usable"},
		{48, 8, 0, "usable"},
		{72, 8, 1, "overlap"},
		{72, 8, 5000, "overlap"},
		{72, 8, UINT64_MAX, "not on a disk"},
		{72, 8, UINT64_MAX / 512 + 3, "not on a disk"},
		{80, 4, 0, "unsupported"},
		{80, 4, UINT32_MAX, "unsupported"},
		{84, 4, 0, "unsupported"},
		{84, 4, 64, "unsupported"},
		{84, 4, 160, "unsupported"},
		{84, 4, 1u << 31, "unsupported"},
		{84, 4, 8192, "unsupported"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (cases[i].size == 4)
			put_le32(header() + cases[i].at, (uint32_t)cases[i].value);
		else
			put_le64(header() + cases[i].at, cases[i].value);
		if (cases[i].at < 80)
			seal();
		else {
			put_le32(header() + 16, 0);
			put_le32(header() + 16, crc32_of(0, header(), 92));
		}
		refuses(cases[i].pattern);
	}
	header()[100] = 1;
	refuses("reserved byte at offset 100");
}

static void absurd_partitions_are_refused(void **state)
{
	disk_512(state);
	put_le64(entry(1) + 32, 3000); /* partition 1 ends with sector 4095 */
	seal();
	refuses("partitions 1 and 2 overlap at offset 1536000");
	put_le64(entry(0) + 40, 4096);
	seal();
	refuses("partitions 1 and 2 overlap");
	put_le64(entry(3) + 40, DISK_SIZE / 512);
	seal();
	refuses("partition 4, sectors 10240 to 16384, is outside");
	put_le64(entry(3) + 40, UINT64_MAX);
	seal();
	refuses("is outside");
	put_le64(entry(3) + 40, 0);
	seal();
	refuses("is outside");
	put_le64(entry(0) + 32, 2);
	seal();
	refuses("is outside");
	memcpy(entry(3) + 16, entry(0) + 16, 16);
	seal();
	refuses("partitions 1 and 4 have the same UUID");
}

static void truncated_disk_is_refused(void **state)
{
	disk_512(state);
	AUTO_GPT gpt;
	for (uint64_t size = 0; size < DISK_SIZE; size += size < 20000 ? 512 : 500000)
		assert_int_equal(read_disk(&gpt, 0, size), -EINVAL);
	assert_int_equal(read_disk(&gpt, 0, DISK_SIZE - 512), 0);
	assert_false(gpt_sound(&gpt));
	gpt_free(&gpt);
	assert_int_equal(read_disk(&gpt, 0, DISK_SIZE), 0);
}

/* Written to a larger disk: the table can be used, and it is said where the backup is. */
static void backup_before_the_end(void **state)
{
	disk_512(state);
	put_le64(header() + 48, get_le64(header() + 48) - 8);
	put_le64(header() + 32, get_le64(header() + 32) - 8);
	seal();
	memcpy(disk + DISK_SIZE - 9 * 512, original + DISK_SIZE - 512, 512);
	AUTO_GPT gpt;
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_non_null(strstr(gpt.areas[GPT_BACKUP_HEADER].fault, "CRC")
				?: strstr(gpt.areas[GPT_BACKUP_HEADER].fault,
					   "says it is sector"));
	assert_string_equal(gpt.areas[GPT_HEADER].fault, "");
	check_contents(&gpt);
}

static void copies_that_differ(void **state)
{
	disk_512(state);
	entry(1)[16] ^= 1;
	seal();
	AUTO_GPT gpt;
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_string_equal(
		gpt.areas[GPT_BACKUP_ENTRIES].fault, "differ from the primary copy's");
	assert_false(gpt.from_backup);
	gpt_free(&gpt);
	memcpy(disk, original, DISK_SIZE);
	header()[56] ^= 1;
	seal();
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_non_null(strstr(gpt.areas[GPT_BACKUP_HEADER].fault, "disk UUID differs"));
}

static void names_are_printable(void **state)
{
	disk_512(state);
	static const uint8_t name[] = {'a', 0, 0x1b, 0, 0x3d, 0xd8, 0, 0xde, 0x3d, 0xd8,
		'b', 0, 0x85, 0, 0, 0, 'c', 0};
	memcpy(entry(0) + 56, name, sizeof name);
	for (int i = 0; i < 36; i++)
		put_le16(entry(1) + 56 + 2 * i, 0xffee);
	seal();
	AUTO_GPT gpt;
	assert_int_equal(read_disk(&gpt, 512, DISK_SIZE), 0);
	assert_string_equal(gpt.partitions[0].name,
		"a\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd"
		"b\xef\xbf\xbd");
	assert_int_equal(strlen(gpt.partitions[1].name), 108);
}

/* The table of types, against the one libfdisk carries. */
static void types_are_the_specified_ones(void **state)
{
	(void)state;
	const char *argv[] = {"sfdisk", "-X", "gpt", "-T", NULL};
	BUFFER list = {0};
	assert_int_equal(
		process_run(
			&(struct process){.argv = argv, .stdin_fd = -1, .stdout_fd = -1},
			&list),
		0);
	unsigned seen = 0;
	for (char *line = strtok((char *)list.data, "\n"); line;
		line = strtok(NULL, "\n")) {
		uint8_t uuid[16];
		char text[37] = "";
		memcpy(text, line, strnlen(line, 36));
		if (uuid_decode(text, uuid) < 0)
			continue;
		const struct dps_type *t = dps_by_uuid(uuid);
		bool system = strstr(line, "Linux root") || strstr(line, "Linux /usr");
		assert_true(!system || t);
		if (!system)
			continue;
		seen++;
		assert_int_equal(!strstr(line, "Linux root"),
			t->role == DPS_USR || t->role == DPS_USR_VERITY ||
				t->role == DPS_USR_SIG);
		assert_int_equal(!strstr(line, "verity"),
			t->role == DPS_ROOT || t->role == DPS_USR);
		assert_int_equal(!strstr(line, "sign."), !strstr(t->name, "-sig"));
		assert_ptr_equal(dps_find(t->role, t->architecture), t);
	}
	assert_int_equal(seen, 108);
	assert_string_equal(dps_find(DPS_ROOT, "x86-64")->uuid,
		"4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
	assert_non_null(dps_find(DPS_ROOT_SIG, dps_native()));
	assert_null(dps_find(DPS_ROOT, "z80"));
}

static void crc_of_known_bytes(void **state)
{
	(void)state;
	/* The check value of the CRC catalogues. */
	assert_int_equal(crc32_of(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_of(crc32_of(0, "1234", 4), "56789", 5), 0xcbf43926);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_of_known_bytes),
		cmocka_unit_test(types_are_the_specified_ones),
		cmocka_unit_test(reads_the_golden_disk),
		cmocka_unit_test(reads_both_sector_sizes),
		cmocka_unit_test(flips_are_named),
		cmocka_unit_test(absurd_headers_are_refused),
		cmocka_unit_test(absurd_partitions_are_refused),
		cmocka_unit_test(truncated_disk_is_refused),
		cmocka_unit_test(backup_before_the_end),
		cmocka_unit_test(copies_that_differ),
		cmocka_unit_test(names_are_printable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
