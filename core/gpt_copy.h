/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_GPT_COPY_H
#define CAIRN_CORE_GPT_COPY_H

/* One of the two copies of a partition table: for core/gpt.c, which puts them together.
 */

#include "core/gpt.h"

#define GPT_MAX_SECTOR 4096

/* Set source, sector_size, lba and the two areas; the rest is found out. */
struct gpt_copy {
	const struct gpt_source *source;
	uint32_t sector_size; /* in bytes */
	uint64_t lba;         /* where its header is, in sectors as all below */
	struct gpt_area *header, *entry; /* where faults go */
	uint64_t alternate, first, last; /* other header; usable area, inclusive */
	uint64_t entries_lba;
	uint32_t n_entries, entry_size, entries_crc;
	uint8_t disk_uuid[16];
	uint8_t *entries; /* owned; the caller frees it */
	bool header_good; /* the numbers above can be believed */
	bool good;        /* and so can the entries */
};

/* Notes the first fault of an area; returns false, so that checks can end with it. */
bool gpt_fault(struct gpt_area *area, const char *format, ...) ERROR_PRINTF(2, 3);

/* Reads a whole area; one that is outside the disk, or cannot be read, is a fault. */
bool gpt_read_area(const struct gpt_source *source, struct gpt_area *area, void *data);

/* The first byte of DATA that is not zero, or SIZE. */
size_t gpt_not_zero(const uint8_t *data, size_t size);

/* Reads the copy whose header is at C->lba; SECTOR is scratch of GPT_MAX_SECTOR bytes. */
void gpt_copy_read(struct gpt_copy *c, uint8_t *sector);

/* Turns the entries of a good copy into partitions, which the caller frees. */
bool gpt_copy_partitions(struct gpt_copy *c, struct gpt_partition **list, size_t *n);

#endif
