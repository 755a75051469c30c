/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_CHECK_PARTS_H
#define CAIRN_BLOBFS_CHECK_PARTS_H

/* What the parts of the check share; nobody else includes this. */

#include "blobfs/bulk.h"
#include "blobfs/check.h"
#include "blobfs/usage.h"

struct check_item;
struct check_worker;

struct check_run {
	struct blobfs_check *check;
	struct blobfs_store *store;
	struct blobfs_usage usage;
	struct check_item *items; /* blobs whose bytes are still to be verified */
	size_t n_items;
	size_t max_items;
	struct check_place *places; /* the same, in the order in which they lie */
	uint32_t *starts; /* among them, of what one thread verifies at a time */
	struct check_worker *workers;
	unsigned n_workers;
};

void blobfs_check_report(struct check_run *run, enum status status, const char *format,
	...) ERROR_PRINTF(3, 4);

/* A digest as text, until the thread's next call. */
const char *blobfs_check_hex(const uint8_t *digest);

/* Takes what opening a blob gave, its places and its size into account. */
void blobfs_check_opened(struct check_run *run, const struct blobfs_entry *entry,
	int error, uint64_t bad_offset);

/* Makes the threads' memory. To be stopped also after a failure. */
int blobfs_check_start(struct check_run *run);
void blobfs_check_stop(struct check_run *run);

/* Has all of a blob verified, at the latest by the next function. */
int blobfs_check_queue(struct check_run *run, const struct blobfs_entry *entry);
int blobfs_check_bytes(struct check_run *run);

#endif
