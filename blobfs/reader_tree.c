/* SPDX-License-Identifier: MIT */
/* The reader's third part: tree blocks, verified and kept. */
#include "blobfs/reader_parts.h"

/* Blocks that hold a hash for each of N blocks. */
static uint64_t parents(uint64_t n)
{
	return (n >> BLOBFS_FANOUT_LOG2) + ((n & (BLOBFS_FANOUT - 1)) != 0);
}

/* Finds out where the levels of BLOB's tree are: from the top, which has one block. */
int blobfs_place_tree(const struct blobfs *fs, struct blobfs_blob *blob)
{
	uint64_t count[BLOBFS_MAX_LEVELS], leaves = count_leaves(blob->entry.size);
	uint64_t offset = blob->entry.tree, total = 0;
	uint32_t levels = 0;
	for (uint64_t n = leaves; n > 1 && levels < BLOBFS_MAX_LEVELS; levels++) {
		n = parents(n);
		count[levels] = n;
		total += n;
	}
	blob->levels = levels;
	if (levels == 1 && !is_packed(fs, offset, leaves * BLOBFS_DIGEST_SIZE))
		return BLOBFS_MALFORMED;
	if (levels > 1 &&
		((offset & MASK) != 0 || !is_inside(fs, offset, total * BLOBFS_BLOCK)))
		return BLOBFS_MALFORMED;
	for (uint32_t i = levels; i > 0; i--) {
		blob->level_offset[i - 1] = offset;
		offset += count[i - 1] * BLOBFS_BLOCK;
	}
	return 0;
}

static struct blobfs_slot *find_slot(const struct blobfs *fs,
	const struct blobfs_blob *blob, uint32_t level, uint64_t index)
{
	/* Digests are spread evenly already; a multiplication would do no better. */
	uint32_t key = get_le32(blob->entry.digest) ^ (uint32_t)index ^ level << 16;
	return &fs->slots[key % fs->n_slots];
}

static bool holds(const struct blobfs_slot *slot, const struct blobfs_blob *blob,
	uint32_t level, uint64_t index)
{
	return slot->valid && slot->level == level && slot->index == index &&
	       is_digest(slot->digest, blob->entry.digest);
}

/* Reads a tree block, unverified, zero-padded. */
int blobfs_read_tree_block(struct blobfs *fs, const struct blobfs_blob *blob,
	uint32_t level, uint64_t index, uint8_t *block)
{
	uint64_t offset = blob->level_offset[level] + index * BLOBFS_BLOCK;
	uint64_t size = BLOBFS_BLOCK;
	if (blob->levels == 1)
		size = count_leaves(blob->entry.size) * BLOBFS_DIGEST_SIZE;
	wipe(block + size, BLOBFS_BLOCK - size);
	return blobfs_read_device(fs, offset, block, size);
}

/* Brings a tree block whose hash must be EXPECTED into its slot. */
static int load_slot(struct blobfs *fs, const struct blobfs_blob *blob, uint32_t level,
	uint64_t index, const uint8_t *expected, struct blobfs_slot *slot)
{
	uint8_t got[BLOBFS_DIGEST_SIZE];
	slot->valid = 0;
	int r = blobfs_read_tree_block(fs, blob, level, index, slot->block);
	if (r == 0)
		r = blobfs_hash(fs, slot->block, BLOBFS_BLOCK, 1, got);
	if (r)
		return r;
	if (!is_digest(got, expected))
		return fail(fs, blob->level_offset[level] + index * BLOBFS_BLOCK,
			BLOBFS_DAMAGED);
	copy(slot->digest, blob->entry.digest, sizeof slot->digest);
	slot->level = level;
	slot->index = index;
	slot->valid = 1;
	return 0;
}

/* The block of LEVEL above data block INDEX. */
static uint64_t above(uint64_t index, uint32_t level)
{
	return index >> (BLOBFS_FANOUT_LOG2 * (level + 1));
}

/*
 * Finds the verified block of level 0 that has the hash of data block INDEX: up to the
 * first block that is in its slot, or to the root, and down again.
 */
int blobfs_find_leaves(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	const struct blobfs_slot **leaves)
{
	uint8_t expected[BLOBFS_DIGEST_SIZE];
	uint32_t level = 0;
	struct blobfs_slot *slot = find_slot(fs, blob, 0, above(index, 0));
	while (level < blob->levels && !holds(slot, blob, level, above(index, level))) {
		level++;
		slot = find_slot(fs, blob, level, above(index, level));
	}
	copy(expected, blob->root, sizeof expected);
	while (level > 0) {
		level--;
		uint64_t at = above(index, level), child = at & (BLOBFS_FANOUT - 1);
		/* A block may go into its own parent's slot: the hash is copied out
		 * first. */
		if (level + 1 < blob->levels)
			copy(expected, slot->block + child * BLOBFS_DIGEST_SIZE,
				sizeof expected);
		slot = find_slot(fs, blob, level, at);
		int r = load_slot(fs, blob, level, at, expected, slot);
		if (r)
			return r;
	}
	*leaves = slot;
	return 0;
}
