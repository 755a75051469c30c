/* SPDX-License-Identifier: MIT */
/*
 * A whole disk image of 192 KiB with a sound partition table, whose partitions the input
 * fills: first the ESP, then root, its tree, and the signature. Verified and inspected,
 * it may be called anything but must not crash, and a claim of the tree's being good
 * must not come without the checks having run.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc32.h"
#include "verifier/inspect.h"
#include "verifier/verify.h"

#define SECTOR 512u
#define SIZE   (384u * SECTOR)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Type in the table's byte order, first and last sector. */
static const struct {
	uint8_t type[16];
	uint16_t first, last;
} partitions[] = {
	{{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9,
		 0x3e, 0xc9, 0x3b},
		8, 263},
	{{0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9,
		 0x84, 0xb7, 0x09},
		264, 295},
	{{0xed, 0x57, 0x73, 0x2c, 0xd2, 0xeb, 0xd9, 0x46, 0xae, 0xc1, 0x23, 0xd4, 0x37,
		 0xec, 0x2b, 0xf5},
		296, 327},
	{{0x92, 0x2b, 0x09, 0x41, 0xc8, 0x9f, 0x23, 0x45, 0x99, 0x4f, 0x2d, 0xef, 0x04,
		 0x08, 0xb1, 0x76},
		328, 359},
};

static uint8_t disk[SIZE];

static void header(uint64_t my, uint64_t other, uint64_t entries)
{
	uint8_t *h = disk + my * SECTOR;
	memcpy(h, "EFI PART\0\0\1\0\134\0\0\0", 16);
	put_le64(h + 24, my);
	put_le64(h + 32, other);
	put_le64(h + 40, 8);
	put_le64(h + 48, 380);
	put_le64(h + 72, entries);
	put_le32(h + 80, 4);
	put_le32(h + 84, 128);
	put_le32(h + 88, crc32_of(0, disk + entries * SECTOR, 512));
	put_le32(h + 16, crc32_of(0, h, 92));
}

static void lay_out(const uint8_t *data, size_t size)
{
	memset(disk, 0, sizeof disk);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t *e = disk + 2 * SECTOR + 128 * i;
		memcpy(e, partitions[i].type, 16);
		e[16] = (uint8_t)(i + 1);
		put_le64(e + 32, partitions[i].first);
		put_le64(e + 40, partitions[i].last);
		uint32_t room =
			(uint32_t)(partitions[i].last - partitions[i].first + 1) * SECTOR;
		/* A length before each part, so that one can grow without moving the
		 * next. */
		size_t n = size >= 2 ? get_le16(data) : 0;
		if (size < 2)
			continue;
		data += 2;
		size -= 2;
		n = n > size ? size : n;
		memcpy(disk + (size_t)partitions[i].first * SECTOR, data,
			n > room ? room : n);
		data += n;
		size -= n;
	}
	memcpy(disk + 382 * SECTOR, disk + 2 * SECTOR, SECTOR);
	header(1, 383, 2);
	header(383, 1, 382);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file image = FILE_CLOSED;
	const struct verify_options o = {.no_signature = true, .jobs = 1};
	const struct inspect_options options = {0};
	AUTO_REPORT report = {0};
	json_object *document = NULL;
	lay_out(data, size);
	if (image.fd < 0 && file_in_memory(&image, "image", SPAN(disk)) < 0)
		abort();
	if (file_write(&image, disk, SIZE, 0) < 0)
		abort();
	if (verify_image(&image, &o, &report) < 0)
		abort();
	/* There is no protective MBR, so it can never be good. */
	if (report.status == STATUS_GOOD || report_finish(&report, "image") == 0)
		abort();
	if (inspect_image(&image, &options, &document) < 0)
		abort();
	json_object_put(document);
	return 0;
}
