/* SPDX-License-Identifier: MIT */
#include "core/fsverity.h"

#include <stdlib.h>
#include <string.h>

/* Where the descriptor has its fields; numbers are little-endian. */
enum {
	AT_VERSION = 0,
	AT_ALGORITHM = 1,
	AT_LOG_BLOCK_SIZE = 2,
	AT_SALT_SIZE = 3,
	AT_DATA_SIZE = 8,
	AT_ROOT = 16,
	AT_SALT = 80,
};

static struct merkle_params merkle_of(const struct fsverity_params *p, uint64_t size)
{
	struct merkle_params m = {
		.kind = MERKLE_FSVERITY,
		.alg = p->alg,
		.data_block_size = p->block_size,
		.tree_block_size = p->block_size,
		.data_blocks = u64_div_up(size, p->block_size),
		.salt_size = p->salt_size,
	};
	memcpy(m.salt, p->salt, sizeof p->salt);
	return m;
}

int fsverity_check_params(const struct fsverity_params *p)
{
	if (p->alg != HASH_SHA256 && p->alg != HASH_SHA512)
		return error_format(
			"fs-verity has no %s, only sha256 and sha512", hash_name(p->alg));
	if (p->salt_size > FSVERITY_SALT_MAX)
		return error_format("a salt of %zu bytes; fs-verity has at most %d",
			p->salt_size, FSVERITY_SALT_MAX);
	if (!is_power_of_two(p->block_size) || p->block_size < MERKLE_BLOCK_MIN ||
		p->block_size > MERKLE_BLOCK_MAX)
		return error_format("block size %u is not a power of two from %d to %d",
			p->block_size, MERKLE_BLOCK_MIN, MERKLE_BLOCK_MAX);
	return 0;
}

int fsverity_tree_size(const struct fsverity_params *p, uint64_t size, uint64_t *bytes)
{
	*bytes = 0;
	int r = fsverity_check_params(p);
	if (r < 0 || size == 0)
		return r;
	struct merkle_params m = merkle_of(p, size);
	struct merkle_layout layout;
	r = merkle_layout(&m, &layout);
	*bytes = layout.tree_size;
	return r;
}

/* Digests of all blocks of DATA, a last one that is not full as if filled with zeros. */
static int hash_level(const struct block_hash *h, struct span data, uint8_t *digests)
{
	size_t n = data.size / h->block_size, rest = data.size % h->block_size;
	int r = block_hash_run(h, data.data, n, digests, h->digest_size);
	if (r < 0 || rest == 0)
		return r;
	uint8_t *last = calloc(1, h->block_size);
	if (!last)
		return error_memory();
	memcpy(last, data.data + n * h->block_size, rest);
	r = block_hash_run(h, last, 1, digests + n * h->digest_size, h->digest_size);
	free(last);
	return r;
}

static int build_levels(const struct block_hash *h, const struct merkle_layout *layout,
	struct span data, uint8_t *tree, uint8_t *root)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < layout->n_levels; i++) {
		const struct merkle_level *l = &layout->levels[i];
		uint8_t *blocks = tree + l->first * h->block_size;
		memset(blocks, 0, l->n_blocks * h->block_size);
		r = hash_level(h, data, blocks);
		data = span_of(blocks, l->n_blocks * h->block_size);
	}
	return r < 0 ? r : hash_level(h, data, root);
}

static int init_hash(const struct fsverity_params *p, struct block_hash *h)
{
	uint8_t padded[128] = {0};
	size_t unit = hash_block_size(p->alg);
	memcpy(padded, p->salt, p->salt_size);
	struct span salt = span_of(padded, p->salt_size ? unit : 0);
	return block_hash_init(h, p->alg, p->block_size, salt, span_of(padded, 0));
}

/* As fsverity_build_span, with the hash function at hand. */
static int build_span(const struct fsverity_params *p, const struct block_hash *h,
	struct span data, uint8_t *tree, uint8_t *root)
{
	memset(root, 0, hash_size(p->alg));
	if (data.size == 0)
		return 0;
	struct merkle_params m = merkle_of(p, data.size);
	struct merkle_layout layout;
	int r = merkle_layout(&m, &layout);
	if (r < 0)
		return r;
	uint8_t *own = NULL;
	if (!tree && !(tree = own = malloc(layout.tree_size + 1)))
		return error_memory();
	r = build_levels(h, &layout, data, tree, root);
	free(own);
	return r;
}

int fsverity_prepare(struct fsverity_maker *maker, const struct fsverity_params *p)
{
	*maker = (struct fsverity_maker){.params = *p};
	int r = fsverity_check_params(p);
	return r < 0 ? r : init_hash(p, &maker->hash);
}

void fsverity_maker_free(struct fsverity_maker *maker)
{
	block_hash_free(&maker->hash);
}

int fsverity_make(const struct fsverity_maker *maker, struct span data, uint8_t *tree,
	uint8_t *digest)
{
	uint8_t root[HASH_MAX_SIZE];
	int r = build_span(&maker->params, &maker->hash, data, tree, root);
	return r < 0 ? r : fsverity_digest(&maker->params, data.size, root, digest);
}

int fsverity_build_span(
	const struct fsverity_params *p, struct span data, uint8_t *tree, uint8_t *root)
{
	struct fsverity_maker maker;
	int r = fsverity_prepare(&maker, p);
	if (r == 0)
		r = build_span(p, &maker.hash, data, tree, root);
	fsverity_maker_free(&maker);
	return r;
}

int fsverity_build(const struct fsverity_params *p, const struct merkle_data *data,
	const struct file *tree, uint64_t tree_offset, unsigned jobs, uint8_t *root)
{
	memset(root, 0, hash_size(p->alg));
	int r = fsverity_check_params(p);
	if (r < 0 || data->size == 0)
		return r;
	struct merkle_params m = merkle_of(p, data->size);
	return merkle_build(&m, data, tree, tree_offset, jobs, root);
}

void fsverity_descriptor(const struct fsverity_params *p, uint64_t size,
	const uint8_t *root, uint8_t descriptor[FSVERITY_DESCRIPTOR_SIZE])
{
	memset(descriptor, 0, FSVERITY_DESCRIPTOR_SIZE);
	descriptor[AT_VERSION] = 1;
	/* FS_VERITY_HASH_ALG_SHA256 and _SHA512 of linux/fsverity.h. */
	descriptor[AT_ALGORITHM] = p->alg == HASH_SHA256 ? 1 : 2;
	descriptor[AT_LOG_BLOCK_SIZE] = (uint8_t)__builtin_ctz(p->block_size);
	descriptor[AT_SALT_SIZE] = (uint8_t)p->salt_size;
	put_le64(descriptor + AT_DATA_SIZE, size);
	memcpy(descriptor + AT_ROOT, root, hash_size(p->alg));
	memcpy(descriptor + AT_SALT, p->salt, p->salt_size);
}

int fsverity_digest(const struct fsverity_params *p, uint64_t size, const uint8_t *root,
	uint8_t *digest)
{
	uint8_t descriptor[FSVERITY_DESCRIPTOR_SIZE];
	int r = fsverity_check_params(p);
	if (r < 0)
		return r;
	fsverity_descriptor(p, size, root, descriptor);
	struct span part = SPAN(descriptor);
	return hash_parts(p->alg, &part, 1, digest);
}

int fsverity_digest_span(
	const struct fsverity_params *p, struct span data, uint8_t *digest)
{
	uint8_t root[HASH_MAX_SIZE];
	int r = fsverity_build_span(p, data, NULL, root);
	return r < 0 ? r : fsverity_digest(p, data.size, root, digest);
}

int fsverity_digest_file(const struct fsverity_params *p, const struct merkle_data *data,
	unsigned jobs, uint8_t *digest)
{
	uint8_t root[HASH_MAX_SIZE];
	int r = fsverity_build(p, data, NULL, 0, jobs, root);
	return r < 0 ? r : fsverity_digest(p, data->size, root, digest);
}
