/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_MERKLE_H
#define CAIRN_CORE_MERKLE_H

#include "core/hash.h"
#include "core/ranges.h"

/*
 * Merkle trees as dm-verity and fs-verity make them. Digests of data blocks fill tree
 * blocks, whose digests fill the blocks of the level above, until one block is left; its
 * digest is the root. The tree is stored with the top level first and the level that
 * covers the data last. A single data block has no tree: its digest is the root.
 *
 * Sources: the kernel's documents "verity" (device-mapper) and "fsverity" (file systems);
 * cryptsetup's "DMVerity" on-disk format.
 */
enum merkle_kind {
	MERKLE_VERITY_0, /* H(block || salt), digests packed */
	MERKLE_VERITY_1, /* H(salt || block), each digest in a power of two of bytes */
	MERKLE_FSVERITY, /* H(salt filled up to the hash's block || block), packed */
};

#define MERKLE_SALT_MAX   256
#define MERKLE_BLOCK_MIN  512
#define MERKLE_BLOCK_MAX  65536
#define MERKLE_LEVELS_MAX 63

struct merkle_params {
	enum merkle_kind kind;
	enum hash_alg alg;
	uint32_t data_block_size; /* bytes: a power of two, MERKLE_BLOCK_MIN to _MAX */
	uint32_t tree_block_size; /* the same */
	uint64_t data_blocks;
	uint8_t salt[MERKLE_SALT_MAX];
	size_t salt_size;
};

/* Level 0 covers the data. Block numbers count from the beginning of the tree. */
struct merkle_layout {
	unsigned n_levels;
	unsigned log2_fanout; /* a tree block holds 2^log2_fanout digests */
	uint32_t digest_size;
	uint32_t stride; /* from one digest to the next, bytes */
	struct merkle_level {
		uint64_t first;
		uint64_t n_blocks;
	} levels[MERKLE_LEVELS_MAX];
	uint64_t tree_blocks; /* of all levels */
	uint64_t tree_size;   /* in bytes */
};

/* Refuses (STATUS_FORMAT) what is out of range, or larger than 2^63 bytes. */
int merkle_layout(const struct merkle_params *p, struct merkle_layout *layout);

/*
 * The bytes the tree is over: SIZE bytes of FILE from OFFSET. A last block that is not
 * full counts as filled up with zeros; SIZE must fit data_blocks exactly in that sense.
 * A FILE that is a pipe is read in order, and OFFSET must be 0.
 */
struct merkle_data {
	const struct file *file;
	uint64_t offset;
	uint64_t size;
};

/*
 * Hashes the data and writes the tree to TREE (NULL: only the root is wanted) at
 * TREE_OFFSET, on JOBS threads (0: one per processor). Memory used does not depend on the
 * size of the data. progress_add is called with the bytes of data done. ROOT gets
 * hash_size(p->alg) bytes.
 */
int merkle_build(const struct merkle_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, unsigned jobs, uint8_t *root);

/*
 * What a check found: block numbers of data blocks counted from the beginning of the
 * data, of tree blocks from the beginning of the tree.
 */
struct merkle_damage {
	struct ranges bad_data; /* differ from their digest */
	struct ranges bad_tree;
	struct ranges unreadable_data; /* the disk does not give them (EIO) */
	struct ranges unreadable_tree;
	struct ranges unknown_data; /* below a tree block that is bad or unreadable */
	struct ranges unknown_tree;
};

#define AUTO_MERKLE_DAMAGE \
	__attribute__((cleanup(merkle_damage_free))) struct merkle_damage

void merkle_damage_free(struct merkle_damage *damage);

/*
 * Compares data and tree with ROOT. Returns 0 if all is as it should be, 1 if not: then
 * DAMAGE tells all that is wrong. DAMAGE must be zeroed; the caller frees it. Every block
 * that others are compared with was itself compared, in the same memory.
 */
int merkle_check(const struct merkle_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, const uint8_t *root, unsigned jobs,
	struct merkle_damage *damage);

#endif
