/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_PART_H
#define CAIRN_VERIFIER_EXAMINE_PART_H

#include "core/file.h"
#include "verifier/examination.h"

/* The bytes of a file that hold the file system to be examined. */
struct part {
	uint32_t number;       /* in the partition table; 0: it is the whole file */
	uint64_t offset, size; /* bytes */
	char type[32];         /* as blkid names it; "" if it is not known */
	char name[112];        /* as a GPT names it; "" if it has none */
};

/*
 * Finds what is in F: partition NUMBER, or for 0 the whole file, or the only partition
 * with a file system that can be mounted safely. STATUS_USAGE, with a list of what there
 * is, if there are several; STATUS_FORMAT if there is no such partition. A partition that
 * does not end inside the file is cut off there. A file without any content that is known
 * gives type "".
 */
int part_find(const struct file *f, uint32_t number, struct part *part);

/*
 * Lists in E->areas what F holds, by offset: its partitions, or itself. What lies behind
 * the end of the file is left out.
 */
int part_survey(const struct file *f, struct examination *e);

#endif
