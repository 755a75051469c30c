/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_UNDO_H
#define CAIRN_CORE_UNDO_H

#include "core/output.h"

/*
 * The way back from changes in place: a file that has what was overwritten, on the disk
 * before it is overwritten. It is a header and records, all integers little-endian:
 *
 *     header  "CAIRNUNDO", filled up to 16 bytes with zeros; u64 size of the first and
 *             u64 of the second target (0: there is none); SHA-256 of these 32 bytes
 *     record  u64 target (0 or 1), u64 offset, u64 size, u64 flags; SHA-256 of these 32
 *             bytes and the contents; the contents
 *
 * Flag 1: the disk could not be read there, the contents are zeros and not put back.
 * Records are put back from the last to the first. One that is not whole, and all behind
 * it, was never acted on: nothing is overwritten before its record is on the disk.
 */
#define UNDO_TARGETS  2
#define UNDO_SIZE_MAX 65536 /* bytes in a record */

struct undo {
	struct output output;
	uint64_t end;      /* of the file */
	uint64_t n_blocks; /* records */
};

#define UNDO_CLOSED ((struct undo){.output = OUTPUT_CLOSED})

/* Creates PATH, which must not exist. A target may be NULL. */
int undo_create(
	struct undo *u, const char *path, const struct file *const targets[UNDO_TARGETS]);

/* Saves SIZE bytes at OFFSET of targets[TARGET], which is F. */
int undo_save(struct undo *u, unsigned target, const struct file *f, uint64_t offset,
	size_t size);

/* What was saved is on the disk when this returns. */
int undo_flush(const struct undo *u);

/* Removes the file. */
int undo_discard(struct undo *u);
void undo_close(struct undo *u);

/*
 * Puts back what FROM has and flushes the targets. Nothing is written before all of FROM
 * has been checked. *N gets the number of blocks.
 */
int undo_apply(const struct file *from, const struct file *const targets[UNDO_TARGETS],
	uint64_t *n);

#endif
