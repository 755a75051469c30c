/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_GPT_H
#define CAIRN_CORE_GPT_H

#include <stdbool.h>

#include "core/file.h"

/*
 * Reads GUID partition tables (UEFI specification 2.10, chapter 5), from hostile disks
 * as well. It never writes, and links into the static init: nothing but libc.
 */

/* Where the bytes come from. READ gives exactly SIZE bytes at OFFSET, or records why not.
 */
struct gpt_source {
	int (*read)(void *context, void *data, size_t size, uint64_t offset);
	void *context;
	uint64_t size;    /* of the disk, in bytes */
	const char *name; /* for messages */
};

/* The five areas a table consists of, in the order of the disk. */
enum gpt_part {
	GPT_MBR,
	GPT_HEADER,
	GPT_ENTRIES,
	GPT_BACKUP_ENTRIES,
	GPT_BACKUP_HEADER,
	GPT_N_PARTS,
};

#define GPT_FAULT_SIZE 160

struct gpt_area {
	uint64_t offset, size; /* in bytes, whole sectors; size 0: could not be located */
	char fault[GPT_FAULT_SIZE]; /* what is wrong with it, "" if nothing is */
	/* Of the fault: STATUS_FORMAT; _FAILED: not readable; _UNCHECKED: not known. */
	enum status status;
};

struct gpt_partition {
	uint32_t number;            /* as the kernel counts, from 1 */
	uint8_t type[16], uuid[16]; /* RFC order, see core/hex.h */
	uint64_t offset, size;      /* in bytes; inside the usable area, never 0 */
	uint64_t attributes;
	char name[36 * 3 + 1]; /* UTF-8; what cannot be printed became U+FFFD */
};

/* Bits of `attributes`, UAPI.2. */
#define GPT_READ_ONLY (UINT64_C(1) << 60)
#define GPT_NO_AUTO   (UINT64_C(1) << 63)

struct gpt {
	uint32_t sector_size; /* in bytes */
	uint64_t disk_size;   /* in bytes */
	uint8_t disk_uuid[16];
	uint64_t usable_offset,
		usable_end; /* in bytes; usable_end is the first one after */
	bool from_backup;   /* the primary copy could not be used */
	struct gpt_area areas[GPT_N_PARTS];
	struct gpt_partition *partitions; /* in the order of the table; owned */
	size_t n_partitions;
};

#define AUTO_GPT __attribute__((cleanup(gpt_free))) struct gpt

/* "protective MBR", "primary GPT header"... */
const char *gpt_part_name(enum gpt_part part);

/*
 * Reads both copies. SECTOR_SIZE is that of the device, 0 for an image file: then 512
 * is tried before 4096. Every number is checked against the disk before it is used:
 * sizes, places, CRCs, reserved bytes, partitions out of range, overlapping, or with one
 * UUID twice. What is wrong is written into `areas`, also with one that two copies
 * disagree. Returns 0 if at least one copy can be used (the caller decides whether
 * faults of the other, or of the MBR, matter), or -EINVAL, STATUS_FORMAT: GPT then
 * holds no partitions, but what is known of the areas.
 */
int gpt_read(const struct gpt_source *source, uint32_t sector_size, struct gpt *gpt);

/* The same, from a file or block device of struct file. */
int gpt_read_file(const struct file *f, uint32_t sector_size, struct gpt *gpt);

/* True if no area has a fault. */
bool gpt_sound(const struct gpt *gpt);

/* The partition with that UUID (RFC order; unique in a table), or NULL. */
const struct gpt_partition *gpt_by_uuid(const struct gpt *gpt, const uint8_t uuid[16]);

/* Frees what GPT holds; may be called twice, and on a zeroed struct. */
void gpt_free(struct gpt *gpt);

#endif
