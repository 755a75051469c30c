/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_SPLIT_H
#define CAIRN_VERIFIER_EXAMINE_SPLIT_H

#include "core/file.h"

/* A raw image that was split into several files, one behind the other. */
struct split {
	const struct file *files; /* not owned */
	size_t n_files;
	uint64_t *ends; /* owned: where file I ends in the image, bytes */
	uint64_t size;  /* of the image, bytes */
};

/*
 * Of N FILES, which must stay open, in their order. STATUS_FORMAT if one of them was cut
 * off: all but the last are as large as the first.
 */
int split_open(struct split *s, const struct file *files, size_t n);

/* SIZE bytes at OFFSET of the image, all of them inside of it. */
int split_read(const struct split *s, uint8_t *data, size_t size, uint64_t offset);

/* May be called twice. */
void split_close(struct split *s);

#endif
