/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_HASH_TREE_H
#define CAIRN_VERIFIER_HASH_TREE_H

#include "core/block_hash.h"
#include "core/verity.h"
#include "verifier/compare.h"

/*
 * dm-verity's hash tree, without the data it is over: what is used of it was checked
 * against its root, in the same memory. For one thread at a time.
 */
struct hash_tree {
	const struct file *file; /* not owned */
	uint64_t offset;         /* of the tree in it, bytes */
	size_t block_size;       /* of the tree, bytes */
	uint8_t root[HASH_MAX_SIZE];
	bool claims; /* nothing is checked */
	struct merkle_layout layout;
	struct block_hash hash;
	uint8_t *upper;  /* owned: all levels but the lowest */
	uint8_t *leaves; /* owned: blocks of the lowest, as `held` tells */
	uint64_t *held;  /* owned: number in the level plus one; 0: none */
	uint64_t n_slots;
	uint64_t n_loads; /* that may still be made */
};

/*
 * The tree at OFFSET of F, which must stay, is to be held to ROOT, or to nothing:
 * CLAIMS. Returns 1 if there is no tree (a single block), or one that is too large. T is
 * to be closed in any case.
 */
int hash_tree_open(struct hash_tree *t, const struct file *f, uint64_t offset,
	const struct verity_params *p, const uint8_t *root, bool claims);
void hash_tree_close(struct hash_tree *t);

/*
 * Reads all of it and checks it from the root down, as far as it is a tree;
 * STATUS_CONTENT if it is not what the root says. To be called first.
 */
int hash_tree_check(struct hash_tree *t);

/*
 * Whether N data blocks of A from block I on and of B from block K on, which must exist,
 * are the same by their leaves. SAMENESS_UNKNOWN if those are not to be had any more.
 */
enum sameness hash_tree_compare(
	struct hash_tree *a, uint64_t i, struct hash_tree *b, uint64_t k, uint64_t n);

#endif
