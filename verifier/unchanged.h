/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_UNCHANGED_H
#define CAIRN_VERIFIER_UNCHANGED_H

#include "core/erofs_image.h"
#include "core/verity.h"
#include "verifier/compare.h"

/*
 * What two erofs file systems have in common, by their hash trees alone: where the leaves
 * are the same the data is, as dm-verity would hand it out. Nothing of the data is read
 * but what says where files are.
 */
struct unchanged_side {
	const struct file *file;                      /* not owned; neither is the rest */
	uint64_t data_offset, data_size, tree_offset; /* bytes */
	struct verity_params params;
	uint8_t root[HASH_MAX_SIZE]; /* what the tree is held to */
};

struct unchanged {
	struct erofs e[2];    /* of A and B */
	uint64_t *touched[2]; /* owned: inodes with contents in differing blocks */
	size_t n_touched[2];
	uint64_t n_blocks; /* of data that differ */
};

#define AUTO_UNCHANGED __attribute__((cleanup(unchanged_free))) struct unchanged
void unchanged_free(struct unchanged *u);

/*
 * Checks both trees, as far as they are trees, against their roots, and finds which
 * inodes differ. Returns 0; 1 if the trees do not allow it: other parameters or salts,
 * no erofs on both sides, one laid out differently, or too large. STATUS_CONTENT if a
 * tree is not what its root says.
 */
int unchanged_find(struct unchanged *u, const struct unchanged_side *a,
	const struct unchanged_side *b);

/*
 * For struct comparison: CONTEXT is the struct unchanged. Two files are the same if they
 * are in the same places, and none of those differs.
 */
bool unchanged_same(
	void *context, const struct files_entry *a, const struct files_entry *b);

#endif
