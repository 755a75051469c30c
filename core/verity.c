/* SPDX-License-Identifier: MIT */
#include "core/verity.h"

#include <string.h>

static const char magic[8] = "verity\0";

/* Where the superblock has its fields; all numbers are little-endian. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 8, /* of the superblock */
	AT_HASH_TYPE = 12,
	AT_UUID = 16,
	AT_ALGORITHM = 32,
	ALGORITHM_SIZE = 32,
	AT_DATA_BLOCK_SIZE = 64,
	AT_HASH_BLOCK_SIZE = 68,
	AT_DATA_BLOCKS = 72,
	AT_SALT_SIZE = 80,
	AT_SALT = 88,
};

struct merkle_params verity_merkle(const struct verity_params *p)
{
	struct merkle_params m = {
		.kind = p->version ? MERKLE_VERITY_1 : MERKLE_VERITY_0,
		.alg = p->alg,
		.data_block_size = p->data_block_size,
		.tree_block_size = p->hash_block_size,
		.data_blocks = p->data_blocks,
		.salt_size = p->salt_size,
	};
	memcpy(m.salt, p->salt, sizeof m.salt);
	return m;
}

int verity_check_params(const struct verity_params *p)
{
	if (p->version > 1)
		return error_format("hash type %u; only 0 and 1 exist", p->version);
	struct merkle_params m = verity_merkle(p);
	struct merkle_layout layout;
	return merkle_layout(&m, &layout);
}

static int parse_fields(const uint8_t *sb, struct verity_params *p)
{
	char name[ALGORITHM_SIZE];
	memcpy(name, sb + AT_ALGORITHM, sizeof name);
	if (memcmp(sb + AT_MAGIC, magic, sizeof magic))
		return error_format("no verity superblock");
	if (get_le32(sb + AT_VERSION) != 1)
		return error_format("superblock version %u; only 1 is known",
			get_le32(sb + AT_VERSION));
	if (name[sizeof name - 1])
		return error_format("the hash algorithm's name does not end");
	int r = hash_by_name(name, &p->alg);
	if (r < 0)
		return r;
	p->version = get_le32(sb + AT_HASH_TYPE);
	p->data_block_size = get_le32(sb + AT_DATA_BLOCK_SIZE);
	p->hash_block_size = get_le32(sb + AT_HASH_BLOCK_SIZE);
	p->data_blocks = get_le64(sb + AT_DATA_BLOCKS);
	p->salt_size = get_le16(sb + AT_SALT_SIZE);
	memcpy(p->uuid, sb + AT_UUID, sizeof p->uuid);
	if ((r = verity_check_params(p)) < 0)
		return r;
	memcpy(p->salt, sb + AT_SALT, p->salt_size);
	return 0;
}

int verity_superblock_parse(
	struct span sb, const char *name, uint64_t offset, struct verity_params *p)
{
	*p = (struct verity_params){0};
	int r = sb.size < VERITY_SUPERBLOCK_SIZE ? error_format("no verity superblock")
						 : parse_fields(sb.data, p);
	return r < 0 ? error_context(r, "%s: at offset %ju", name, (uintmax_t)offset) : 0;
}

int verity_superblock_read(const struct file *f, uint64_t offset, struct verity_params *p)
{
	uint8_t sb[VERITY_SUPERBLOCK_SIZE];
	size_t n;
	int r = file_read_some(f, sb, sizeof sb, offset, &n);
	return r < 0 ? r : verity_superblock_parse(span_of(sb, n), f->name, offset, p);
}

void verity_superblock_write(
	const struct verity_params *p, uint8_t sb[VERITY_SUPERBLOCK_SIZE])
{
	const char *name = hash_name(p->alg);
	memset(sb, 0, VERITY_SUPERBLOCK_SIZE);
	memcpy(sb + AT_MAGIC, magic, sizeof magic);
	put_le32(sb + AT_VERSION, 1);
	put_le32(sb + AT_HASH_TYPE, p->version);
	memcpy(sb + AT_UUID, p->uuid, sizeof p->uuid);
	memcpy(sb + AT_ALGORITHM, name, strlen(name));
	put_le32(sb + AT_DATA_BLOCK_SIZE, p->data_block_size);
	put_le32(sb + AT_HASH_BLOCK_SIZE, p->hash_block_size);
	put_le64(sb + AT_DATA_BLOCKS, p->data_blocks);
	put_le16(sb + AT_SALT_SIZE, (uint16_t)p->salt_size);
	memcpy(sb + AT_SALT, p->salt, p->salt_size);
}

int verity_tree_offset(
	const struct verity_params *p, uint64_t offset, uint64_t *tree_offset)
{
	if (u64_add(offset, VERITY_SUPERBLOCK_SIZE, tree_offset) ||
		u64_align(*tree_offset, p->hash_block_size, tree_offset) ||
		*tree_offset > INT64_MAX)
		return error_format("hash offset %ju is out of range", (uintmax_t)offset);
	return 0;
}

int verity_tree_size(const struct verity_params *p, uint64_t *bytes)
{
	struct merkle_params m = verity_merkle(p);
	struct merkle_layout layout;
	int r = merkle_layout(&m, &layout);
	*bytes = layout.tree_size;
	return r;
}

int verity_build(const struct verity_params *p, const struct file *data,
	uint64_t data_offset, const struct file *hash, uint64_t tree_offset,
	unsigned jobs, uint8_t *root)
{
	int r = verity_check_params(p);
	if (r < 0)
		return r;
	struct merkle_params m = verity_merkle(p);
	struct merkle_data d = {data, data_offset, p->data_blocks * p->data_block_size};
	return merkle_build(&m, &d, hash, tree_offset, jobs, root);
}

int verity_check(const struct verity_params *p, const struct file *data,
	uint64_t data_offset, const struct file *hash, uint64_t tree_offset,
	const uint8_t *root, unsigned jobs, struct merkle_damage *damage)
{
	int r = verity_check_params(p);
	if (r < 0)
		return r;
	struct merkle_params m = verity_merkle(p);
	struct merkle_data d = {data, data_offset, p->data_blocks * p->data_block_size};
	return merkle_check(&m, &d, hash, tree_offset, root, jobs, damage);
}
