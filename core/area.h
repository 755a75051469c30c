/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_AREA_H
#define CAIRN_CORE_AREA_H

#include "core/output.h"

/*
 * Where a hash area or parity is put: into a new file that appears when it is complete,
 * or into part of one that exists. For an existing file the bytes are made in a file
 * without a name beside it and copied when they are complete. A device is written
 * directly (the place beside it is memory), so the caller puts its superblock there last.
 */
struct area {
	enum area_kind {
		AREA_NEW,
		AREA_PART,
		AREA_DEVICE,
	} kind;
	struct output output; /* AREA_NEW */
	struct file existing; /* the others */
	struct file scratch;  /* AREA_PART */
	uint64_t offset;      /* of the area in its file */
};

#define AREA_CLOSED                             \
	((struct area){.output = OUTPUT_CLOSED, \
		.existing = FILE_CLOSED,        \
		.scratch = FILE_CLOSED})
#define AUTO_AREA __attribute__((cleanup(area_close))) struct area

/*
 * Prepares an area at OFFSET of PATH. IN_PLACE: a file that exists keeps the rest of its
 * contents; a device is always so. Else PATH becomes a new file; one that exists is
 * refused
 * (-EEXIST) unless it is empty or REPLACE is set.
 */
int area_open(
	struct area *a, const char *path, uint64_t offset, bool in_place, bool replace);

/* The file to write the area to, and the offset that the area has there. */
const struct file *area_file(const struct area *a);
uint64_t area_offset(const struct area *a);

/* The file the area will be part of, as it was; NULL if that is a new one. */
const struct file *area_existing(const struct area *a);

/* Puts SIZE bytes of area in place, for good. */
int area_commit(struct area *a, uint64_t size);

/* Drops what was not committed; may be called twice. */
void area_close(struct area *a);

#endif
