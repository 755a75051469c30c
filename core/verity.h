/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_VERITY_H
#define CAIRN_CORE_VERITY_H

#include "core/merkle.h"

/*
 * dm-verity's hash area: a superblock of 512 bytes, and from the next multiple of the
 * hash block size on the tree. Source: cryptsetup's "DMVerity" on-disk format.
 */
#define VERITY_SUPERBLOCK_SIZE 512

struct verity_params {
	unsigned version; /* 0 (salt behind the block) or 1 */
	enum hash_alg alg;
	uint32_t data_block_size; /* bytes */
	uint32_t hash_block_size; /* bytes */
	uint64_t data_blocks;
	uint8_t salt[MERKLE_SALT_MAX];
	size_t salt_size;
	uint8_t uuid[16]; /* all zero if there is none (no superblock) */
};

/* What everybody uses: version 1, sha256, 4096/4096, no salt; data_blocks must be set. */
#define VERITY_DEFAULTS                       \
	((struct verity_params){.version = 1, \
		.alg = HASH_SHA256,           \
		.data_block_size = 4096,      \
		.hash_block_size = 4096})

/* Refuses (STATUS_FORMAT) what dm-verity or 63-bit offsets cannot do. */
int verity_check_params(const struct verity_params *p);

/*
 * The superblock in SB, which came from offset OFFSET of NAME (for messages). Every
 * number in it was checked when this returns 0.
 */
int verity_superblock_parse(
	struct span sb, const char *name, uint64_t offset, struct verity_params *p);

/* Reads and parses the one at OFFSET of F. */
int verity_superblock_read(
	const struct file *f, uint64_t offset, struct verity_params *p);

/* P must be good (verity_check_params). */
void verity_superblock_write(
	const struct verity_params *p, uint8_t sb[VERITY_SUPERBLOCK_SIZE]);

/*
 * Where the tree begins when the superblock is at byte OFFSET of its device: OFFSET + 512
 * rounded up. Without a superblock the tree begins at the hash offset itself.
 */
int verity_tree_offset(
	const struct verity_params *p, uint64_t offset, uint64_t *tree_offset);

/* The size of the tree in bytes; 0 for a single data block. */
int verity_tree_size(const struct verity_params *p, uint64_t *bytes);

/* The parameters as core/merkle.h has them. */
struct merkle_params verity_merkle(const struct verity_params *p);

/*
 * Hashes P->data_blocks blocks at DATA_OFFSET of DATA, and writes the tree (not the
 * superblock) to TREE_OFFSET of HASH. JOBS: threads, 0 for one per processor. ROOT gets
 * hash_size(P->alg) bytes. DATA and HASH may be the same file.
 */
int verity_build(const struct verity_params *p, const struct file *data,
	uint64_t data_offset, const struct file *hash, uint64_t tree_offset,
	unsigned jobs, uint8_t *root);

/*
 * Compares all of data and tree with ROOT: 0 if they are good; 1 if not, and DAMAGE
 * (zeroed before; the caller frees it) tells what is wrong.
 */
int verity_check(const struct verity_params *p, const struct file *data,
	uint64_t data_offset, const struct file *hash, uint64_t tree_offset,
	const uint8_t *root, unsigned jobs, struct merkle_damage *damage);

#endif
