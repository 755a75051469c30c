/* SPDX-License-Identifier: MIT */
/* The reader's third part: where a blob's blocks are, and the way along its tree. */
#include "blobfs/reader_parts.h"

/* The index, within LEVEL, of the block above data block INDEX (which is at level 0). */
static uint64_t above(uint64_t index, uint32_t level)
{
	return index >> (BLOBFS_FANOUT_LOG2 * level);
}

/* The last data block; 0 if there is none. */
static uint64_t last_block(const struct blobfs_blob *blob)
{
	return blob->entry.size ? (blob->entry.size - 1) >> BLOBFS_BLOCK_LOG2 : 0;
}

/* Whether the data and the tail are where they can be. */
static bool is_data_placed(const struct blobfs *fs, const struct blobfs_entry *e)
{
	uint64_t full = e->size & ~MASK, rest = e->size & MASK;
	return e->size <= BLOBFS_MAX_SIZE &&
	       (full == 0 || is_aligned(fs, e->data, full)) &&
	       (rest == 0 || is_packed(fs, e->tail, rest));
}

int blobfs_place(const struct blobfs *fs, struct blobfs_blob *blob)
{
	uint64_t offset = blob->entry.tree, last = last_block(blob);
	if (!is_data_placed(fs, &blob->entry))
		return BLOBFS_MALFORMED;
	blob->level_offset[0] = blob->entry.data;
	blob->levels = 0;
	while (above(last, blob->levels) > 0)
		blob->levels++;
	if (blob->levels == 1) {
		blob->level_offset[1] = offset;
		return is_packed(fs, offset, (last + 1) * BLOBFS_DIGEST_SIZE)
			       ? 0
			       : BLOBFS_MALFORMED;
	}
	for (uint32_t level = blob->levels; level > 0; level--) {
		uint64_t size = (above(last, level) + 1) * BLOBFS_BLOCK;
		if (!is_aligned(fs, offset, size))
			return BLOBFS_MALFORMED;
		blob->level_offset[level] = offset;
		offset += size;
	}
	return 0;
}

uint64_t blobfs_block_offset(
	const struct blobfs_blob *blob, uint32_t level, uint64_t index, size_t *size)
{
	*size = BLOBFS_BLOCK;
	if (level == 0 && index == blob->entry.size >> BLOBFS_BLOCK_LOG2) {
		*size = blob->entry.size & MASK;
		return blob->entry.tail;
	}
	if (level == 1 && blob->levels == 1)
		*size = (size_t)(last_block(blob) + 1) * BLOBFS_DIGEST_SIZE;
	return blob->level_offset[level] + index * BLOBFS_BLOCK;
}

int blobfs_read_blocks(struct blobfs *fs, const struct blobfs_blob *blob, uint32_t level,
	uint64_t index, uint8_t *data, size_t count)
{
	size_t size;
	uint64_t offset = blobfs_block_offset(blob, level, index, &size);
	wipe(data + size, BLOBFS_BLOCK - size);
	return blobfs_read_device(fs, offset, data, size + (count - 1) * BLOBFS_BLOCK);
}

/* The only slot that a block of the tree is ever in: the levels begin apart. */
static struct blobfs_slot *choose_slot(const struct blobfs *fs,
	const struct blobfs_blob *blob, uint32_t level, uint64_t index)
{
	uint64_t key = get_le32(blob->entry.digest) + index;
	key += (uint64_t)level * (fs->n_slots - fs->n_slots / 8);
	return &fs->slots[(uint32_t)key % fs->n_slots];
}

/*
 * From *HASH, that of the block of LEVEL above data block INDEX, to the hash in that
 * block of what is below it: the block is in its slot, or is brought there.
 */
static int descend(struct blobfs *fs, const struct blobfs_blob *blob, uint32_t level,
	uint64_t index, const uint8_t **hash)
{
	uint8_t expected[BLOBFS_DIGEST_SIZE];
	uint64_t at = above(index, level), below = above(index, level - 1);
	struct blobfs_slot *slot = choose_slot(fs, blob, level, at);
	size_t size;
	/* A copy, because the block may go where its parent lies. */
	copy(expected, *hash, sizeof expected);
	if (!slot->valid || !is_digest(slot->hash, expected)) {
		slot->valid = 0;
		int r = blobfs_read_blocks(fs, blob, level, at, slot->block, 1);
		if (r == 0)
			r = blobfs_check_hash(fs, slot->block, BLOBFS_BLOCK, expected,
				blobfs_block_offset(blob, level, at, &size));
		if (r)
			return r;
		copy(slot->hash, expected, sizeof slot->hash);
		slot->valid = 1;
	}
	*hash = slot->block + (below & (BLOBFS_FANOUT - 1)) * BLOBFS_DIGEST_SIZE;
	return 0;
}

int blobfs_find_hashes(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	const uint8_t **hashes)
{
	int r = 0;
	*hashes = blob->root;
	for (uint32_t level = blob->levels; level > 0 && r == 0; level--)
		r = descend(fs, blob, level, index, hashes);
	return r;
}
