/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_DISKS_H
#define CAIRN_INITRD_DISKS_H

#include <stdbool.h>

#include "core/gpt.h"

/* A partition, as the kernel knows it. */
struct disk_part {
	uint64_t offset, size; /* on the disk, in bytes */
	char device[24];       /* "major:minor" */
	char name[40];         /* "vda2" */
};

#define DISK_SIGNATURES_MAX 16

/* A disk that has both halves of the root hash as partition UUIDs. */
struct disk_pair {
	struct file disk; /* open for reading */
	struct disk_part data, hash;
	struct disk_part
		signatures[DISK_SIGNATURES_MAX]; /* of all versions on the disk */
	size_t n_signatures;
};

/* What to look for: UUIDs in RFC order. */
struct disk_wanted {
	uint8_t data[16], hash[16]; /* partition UUIDs */
	uint8_t signature[16];      /* partition type */
	/* If has_boot: the disk with this partition goes first. */
	bool has_boot;
	uint8_t boot[16];
};

/* Fills WANTED for a root hash (64 hex digits), for root or usr. */
int disk_wanted(struct disk_wanted *wanted, const char *root_hash, bool usr);

/*
 * With WANTED->has_boot, pairs on other disks are put off until the one with that
 * partition was looked at, or has_boot is false again.
 *
 * Looks at all disks that appeared since the last call, in the order of their names, and
 * gives each pair to TRY, which owns it from then on. Disks without a partition table are
 * passed over; those that cannot be used are looked at again for a while before they
 * are. What TRY returns other than 0 ends the search and is the result.
 */
int disks_search(const struct disk_wanted *wanted,
	int (*try)(void *context, struct disk_pair *pair), void *context);

/* How many pairs were put off, and not looked at since. */
unsigned disks_put_off(void);

/* As read by disks_visit: a disk with a partition table. DISK is open for reading. */
typedef int disk_visitor(
	void *context, const struct file *disk, const char *name, const struct gpt *gpt);

/*
 * Gives every disk that has a partition table to VISIT, in the order of their names,
 * whatever was looked at before. What VISIT returns other than 0 ends it.
 */
int disks_visit(disk_visitor *visit, void *context);

/* Finds partition P of the disk NAME as the kernel knows it, or makes it know it. */
int disks_part(const struct file *disk, const char *name, const struct gpt_partition *p,
	struct disk_part *part);

/* "vda, vdb (no partition table)": what was looked at so far. */
const char *disks_seen(void);

void disk_pair_free(struct disk_pair *pair);

#endif
