/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_FSVERITY_H
#define CAIRN_CORE_FSVERITY_H

#include "core/block_hash.h"
#include "core/merkle.h"

/*
 * fs-verity's file digests: the hash of a descriptor of 256 bytes that holds the size of
 * the file, the parameters and the root of a Merkle tree over the contents. Source: the
 * kernel's document "fsverity" (struct fsverity_descriptor).
 */
#define FSVERITY_DESCRIPTOR_SIZE 256
#define FSVERITY_SALT_MAX        32

struct fsverity_params {
	enum hash_alg alg;   /* HASH_SHA256 or HASH_SHA512 */
	uint32_t block_size; /* bytes */
	uint8_t salt[FSVERITY_SALT_MAX];
	size_t salt_size;
};

/* What everybody uses, and what names a blob: sha256, 4096, no salt. */
#define FSVERITY_DEFAULTS \
	((struct fsverity_params){.alg = HASH_SHA256, .block_size = 4096})

/* Refuses (STATUS_FORMAT) other hashes, block sizes and salts than there are. */
int fsverity_check_params(const struct fsverity_params *p);

/* The size of the tree over SIZE bytes, in bytes; 0 up to one block. */
int fsverity_tree_size(const struct fsverity_params *p, uint64_t size, uint64_t *bytes);

/*
 * The root of the tree over DATA, and the tree itself, levels from the top, into TREE if
 * that is not NULL (fsverity_tree_size bytes). No bytes at all have a root of zeros. ROOT
 * gets hash_size(p->alg) bytes. One thread; up to a 128th of the data is allocated.
 */
int fsverity_build_span(
	const struct fsverity_params *p, struct span data, uint8_t *tree, uint8_t *root);

/* The same for data in a file, with the tree to TREE_OFFSET of TREE (or NULL). */
int fsverity_build(const struct fsverity_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, unsigned jobs, uint8_t *root);

/* The descriptor of a file of SIZE bytes with ROOT. */
void fsverity_descriptor(const struct fsverity_params *p, uint64_t size,
	const uint8_t *root, uint8_t descriptor[FSVERITY_DESCRIPTOR_SIZE]);

/* The digest: of that descriptor; DIGEST gets hash_size(p->alg) bytes. */
int fsverity_digest(const struct fsverity_params *p, uint64_t size, const uint8_t *root,
	uint8_t *digest);

/*
 * For many small files: what can be prepared once. Afterwards any number of threads may
 * share the struct.
 */
struct fsverity_maker {
	struct fsverity_params params;
	struct block_hash hash;
};

int fsverity_prepare(struct fsverity_maker *maker, const struct fsverity_params *p);
void fsverity_maker_free(struct fsverity_maker *maker);

/* TREE: fsverity_tree_size bytes of scratch memory, or NULL to have it allocated. */
int fsverity_make(const struct fsverity_maker *maker, struct span data, uint8_t *tree,
	uint8_t *digest);

/* Root and digest in one step, of bytes or of a whole file (or part of one). */
int fsverity_digest_span(
	const struct fsverity_params *p, struct span data, uint8_t *digest);
int fsverity_digest_file(const struct fsverity_params *p, const struct merkle_data *data,
	unsigned jobs, uint8_t *digest);

#endif
