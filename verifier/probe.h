/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PROBE_H
#define CAIRN_VERIFIER_PROBE_H

#include "core/file.h"

/* Which of the file systems of an image it is, and whether it can ever be written to. */

enum probe_kind {
	PROBE_UNKNOWN,
	PROBE_EROFS,
	PROBE_SQUASHFS,
	PROBE_EXT, /* ext2, 3 or 4 */
};

struct probe {
	enum probe_kind kind;
	uint64_t size;       /* of the file system, in bytes, as its superblock says */
	uint32_t block_size; /* in bytes */
	uint8_t uuid[16];    /* RFC order; zeros where the format has none */
	bool has_uuid;
	bool has_journal; /* ext: the kernel would replay it */
	bool read_only;   /* by nature, or by ext4's read-only feature */
};

/* "erofs", "squashfs", "ext4", "unknown". */
const char *probe_name(enum probe_kind kind);

/*
 * Looks at the superblock at OFFSET in F; SIZE bytes are there. Unknown content is not an
 * error. -EINVAL, STATUS_FORMAT, if the superblock's numbers make no sense or the file
 * system would be larger than SIZE.
 */
int probe_file_system(
	const struct file *f, uint64_t offset, uint64_t size, struct probe *p);

#endif
