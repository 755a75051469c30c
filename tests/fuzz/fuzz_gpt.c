/* SPDX-License-Identifier: MIT */
/*
 * A disk of 64 sectors made from the input: two flag bytes, 92 bytes of primary header,
 * 92 of backup header, the rest entries, for both copies. The flags ask to make checksums
 * right, so that the fuzzer gets behind them. What the reader accepts must keep its word.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32.h"
#include "core/gpt.h"

#define SECTORS    64
#define SECTOR     512
#define SIZE       (SECTORS * SECTOR)
#define ENTRIES    8
#define BACKUP     (SIZE - SECTOR)
#define BACKUP_ENT (BACKUP - ENTRIES * 128)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t disk[SIZE];

static int read_disk(void *context, void *data, size_t size, uint64_t offset)
{
	(void)context;
	if (offset > SIZE || size > SIZE - offset)
		abort();
	memcpy(data, disk + offset, size);
	return 0;
}

static void seal(uint8_t *header, const uint8_t *entries)
{
	put_le32(header + 88, crc32_of(0, entries, ENTRIES * 128));
	put_le32(header + 16, 0);
	put_le32(header + 16, crc32_of(0, header, 92));
}

static size_t take(const uint8_t **data, size_t *size, uint8_t *to, size_t n)
{
	if (n > *size)
		n = *size;
	memcpy(to, *data, n);
	*data += n;
	*size -= n;
	return n;
}

static void lay_out(const uint8_t *data, size_t size)
{
	uint8_t flags[2] = {0};
	memset(disk, 0, sizeof disk);
	take(&data, &size, flags, 2);
	take(&data, &size, disk + SECTOR, 92);
	take(&data, &size, disk + BACKUP, 92);
	size_t n = take(&data, &size, disk + 2 * SECTOR, ENTRIES * 128);
	memcpy(disk + BACKUP_ENT, disk + 2 * SECTOR, n);
	take(&data, &size, disk, SECTOR);
	if (flags[0] & 1)
		seal(disk + SECTOR, disk + 2 * SECTOR);
	if (flags[0] & 2)
		seal(disk + BACKUP, disk + BACKUP_ENT);
	/* The same copy where 4096-byte sectors have it. */
	if (flags[0] & 4)
		memmove(disk + 4096, disk + SECTOR, 92);
}

static void check(const struct gpt *gpt)
{
	for (size_t i = 0; i < gpt->n_partitions; i++) {
		const struct gpt_partition *p = &gpt->partitions[i];
		if (p->size == 0 || p->offset < gpt->usable_offset ||
			p->size > gpt->usable_end - p->offset || gpt->usable_end > SIZE ||
			memchr(p->name, 0, sizeof p->name) == NULL)
			abort();
		for (size_t j = 0; j < i; j++) {
			const struct gpt_partition *q = &gpt->partitions[j];
			if (p->offset < q->offset + q->size &&
				q->offset < p->offset + p->size)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gpt_source source = {.read = read_disk, .size = SIZE, .name = "disk"};
	lay_out(data, size);
	static const uint32_t sizes[] = {0, 512, 4096};
	for (size_t i = 0; i < 3; i++) {
		struct gpt gpt;
		if (gpt_read(&source, sizes[i], &gpt) == 0)
			check(&gpt);
		gpt_free(&gpt);
	}
	return 0;
}
