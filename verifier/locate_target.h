/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_LOCATE_TARGET_H
#define CAIRN_VERIFIER_LOCATE_TARGET_H

#include "core/file.h"
#include "verifier/report.h"

/* Which file system of an image blocks are counted in. */
struct locate_target {
	char area[40];      /* "root partition"; of an image without a table: the file */
	uint32_t partition; /* 0: the whole file */
	uint64_t offset, size; /* in the image, bytes */
};

/*
 * Finds partition number PARTITION of F; 0: the first root or usr partition, else the
 * first with a file system that is known here, or all of F if it holds such a one itself.
 * STATUS_USAGE if there is no such partition; STATUS_FORMAT if nothing can be found.
 */
int locate_target_find(struct locate_target *t, const struct file *f, uint32_t partition);

#endif
