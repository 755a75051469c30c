/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_PENDING_H
#define CAIRN_BLOBFS_PENDING_H

#include "blobfs/device.h"

/* Entries that wait for the next commit, found by digest. A zeroed struct is empty. */
struct blobfs_pending {
	struct blobfs_entry *entries; /* in the order they came, or sorted */
	size_t n_entries;
	size_t capacity;
	uint32_t *table; /* entry numbers + 1 by digest, 0: empty */
	size_t table_size;
};

void blobfs_pending_free(struct blobfs_pending *p);

/* The entry of that digest, a tombstone perhaps, or NULL. Valid until the next set. */
struct blobfs_entry *blobfs_pending_find(
	const struct blobfs_pending *p, const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/* Adds ENTRY, or puts it in the place of the one with its digest. */
int blobfs_pending_set(struct blobfs_pending *p, const struct blobfs_entry *entry);

/* Sorts by digest; nothing is found any more until it is emptied. */
void blobfs_pending_sort(struct blobfs_pending *p);

#endif
