/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DISK_H
#define CAIRN_VERIFIER_DISK_H

#include "core/dps.h"
#include "core/gpt.h"

/*
 * A disk image and which of its partitions belong together. The image is only read; all
 * pointers to partitions point into `gpt`.
 */

/* A file system, the hash tree over it, and the signature of the tree's root. */
struct disk_set {
	enum dps_role role; /* DPS_ROOT or DPS_USR */
	const char *architecture;
	const struct gpt_partition *data, *verity, *signature;   /* NULL: there is none */
	char data_name[32], verity_name[32], signature_name[40]; /* for messages */
};

struct disk {
	const struct file *file; /* not owned */
	struct gpt gpt;
	struct disk_set *sets; /* owned */
	size_t n_sets;
};

#define AUTO_DISK __attribute__((cleanup(disk_close))) struct disk

/*
 * Reads the partition table. On failure the areas of `gpt` still tell what is wrong with
 * it. The n-th root partition goes with the n-th root verity partition of the same
 * architecture, and so on: that they really belong together is for their hashes to show.
 */
int disk_open(struct disk *d, const struct file *f);
void disk_close(struct disk *d);

/* The type of partition P, or NULL if it is not of the DPS. */
const struct dps_type *disk_type(const struct gpt_partition *p);

/* How messages name partition P: "root partition", "EFI system partition"... */
const char *disk_name(const struct disk *d, const struct gpt_partition *p, char name[40]);

/*
 * The first byte other than zero of SIZE bytes from OFFSET in F: its offset in *AT.
 * Returns 0 if there is one, 1 if all are zero, or a negative errno. Holes are not read.
 */
int disk_find_nonzero(const struct file *f, uint64_t offset, uint64_t size, uint64_t *at);

#endif
