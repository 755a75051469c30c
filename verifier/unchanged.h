/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_UNCHANGED_H
#define CAIRN_VERIFIER_UNCHANGED_H

#include "verifier/hash_tree.h"

/*
 * What two file systems have in common, by their hash trees alone: where the leaves are
 * the same the data is, as dm-verity would hand it out, wherever it lies. Of the data
 * only what says where files are is read, and what fills no whole block.
 */
struct unchanged_side {
	const struct file *file;                      /* not owned; neither is the rest */
	uint64_t data_offset, data_size, tree_offset; /* bytes */
	struct verity_params params;
	uint8_t root[HASH_MAX_SIZE]; /* what the tree is held to */
};

struct unchanged {
	const struct unchanged_side *sides[2]; /* A and B */
	struct hash_tree trees[2];
	size_t n_pieces; /* of files, that were looked at */
};

#define AUTO_UNCHANGED __attribute__((cleanup(unchanged_free))) struct unchanged
void unchanged_free(struct unchanged *u);

/*
 * Unless their claims alone are to be compared, checks both trees, as far as they are
 * trees, against their roots; on two threads. A and B must stay. Returns 0; 1 if the
 * trees cannot be compared: other parameters or salts, or too large. STATUS_CONTENT if a
 * tree is not what its root says.
 */
int unchanged_find(struct unchanged *u, const struct unchanged_side *a,
	const struct unchanged_side *b, bool claims);

/* For struct comparison: CONTEXT is the struct unchanged. */
enum sameness unchanged_compare(void *context, const struct files *a,
	const struct files_entry *x, const struct files *b, const struct files_entry *y);

#endif
