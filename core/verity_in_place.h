/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_VERITY_IN_PLACE_H
#define CAIRN_CORE_VERITY_IN_PLACE_H

#include "core/undo.h"
#include "core/verity_repair.h"

/*
 * Repair where the blocks are: for block devices, which cannot be replaced as a whole,
 * and for files too large to be copied. What is overwritten is saved to BACKUP first.
 */
struct verity_targets {
	struct file data, hash; /* open for writing; hash is closed if it is the data's */
};

#define VERITY_TARGETS_CLOSED ((struct verity_targets){FILE_CLOSED, FILE_CLOSED})

/*
 * Opens and locks them. A device that is mounted or otherwise in use: -EBUSY,
 * STATUS_TIMEOUT.
 */
int verity_targets_open(
	struct verity_targets *t, const char *data_path, const char *hash_path);
void verity_targets_close(struct verity_targets *t);

/*
 * As verity_repair with T in place of REPAIR's files. If it fails all blocks are put back
 * as they were and BACKUP is removed; if not, and any were overwritten, BACKUP stays.
 */
int verity_repair_in_place(
	struct verity_repair *repair, const struct verity_targets *t, const char *backup);

/* Puts back what BACKUP has; *N gets the number of blocks. BACKUP stays. */
int verity_undo(const struct verity_targets *t, const char *backup, uint64_t *n);

#endif
