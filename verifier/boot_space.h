/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_BOOT_SPACE_H
#define CAIRN_VERIFIER_BOOT_SPACE_H

#include "core/fat.h"

/*
 * What lies in a FAT file system outside of its files. Nothing vouches for it; in a fresh
 * image it is zero, later it holds what was deleted.
 */
struct boot_space {
	uint64_t free_bytes;
	bool free_is_zero;
	uint64_t not_zero; /* the first offset in the image that is not, unless it is */
	bool tables_agree; /* all copies of the allocation table are the same */
	uint64_t differ;   /* the first offset in the image where they do not */
};

/* STATUS_FORMAT if the allocation table is larger than any ESP needs (64 MiB). */
int boot_space_check(const struct fat *fat, struct boot_space *space);

#endif
