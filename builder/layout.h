/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_LAYOUT_H
#define CAIRN_BUILDER_LAYOUT_H

#include "core/dps.h"
#include "core/file.h"

/*
 * The partitions of an image and the GPT that says where they are, written by libfdisk.
 * Nothing random goes into it: the same layout is the same bytes.
 */

#define LAYOUT_MAX       8
#define LAYOUT_ALIGNMENT (1u << 20) /* where partitions start, and the table's room */
#define LAYOUT_GRAIN     4096u      /* sizes are multiples of this */
#define LAYOUT_LABEL     37         /* GPT: 36 UTF-16 units; ours are ASCII */

struct layout_part {
	const struct dps_type *type;
	uint8_t uuid[16]; /* in RFC 9562's order */
	char label[LAYOUT_LABEL];
	uint64_t size;   /* bytes; rounded up to LAYOUT_GRAIN by layout_place */
	bool read_only;  /* GPT attribute bit 60 */
	uint64_t offset; /* bytes; set by layout_place */
};

struct layout {
	uint8_t disk_uuid[16];
	struct layout_part parts[LAYOUT_MAX];
	size_t n_parts;
	uint64_t size; /* of the whole image; set by layout_place */
};

/*
 * Places the partitions one after the other and computes the total size. WANTED is the
 * total asked for (0: as small as possible); -EINVAL, STATUS_USAGE, if it is too small.
 */
int layout_place(struct layout *l, uint64_t wanted);

/*
 * Writes both copies of the table and the protective MBR into F, which must be open for
 * writing and of the layout's size (a device may be larger: the second copy then is at
 * its end).
 */
int layout_write(const struct layout *l, const struct file *f);

#endif
