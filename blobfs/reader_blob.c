/* SPDX-License-Identifier: MIT */
/* The reader's other half: from an index entry to verified bytes. */
#include "blobfs/reader.h"

#include "blobfs/reader_parts.h"

/* Whether SIZE bytes at OFFSET are within the device and one block. */
static bool is_packed(const struct blobfs *fs, uint64_t offset, uint64_t size)
{
	return (offset & MASK) + size <= BLOBFS_BLOCK && is_inside(fs, offset, size);
}

static uint64_t count_leaves(uint64_t size)
{
	return (size >> BLOBFS_BLOCK_LOG2) + ((size & MASK) != 0);
}

/* Blocks that hold a hash for each of N blocks. */
static uint64_t parents(uint64_t n)
{
	return (n >> BLOBFS_FANOUT_LOG2) + ((n & (BLOBFS_FANOUT - 1)) != 0);
}

/* Finds out where the levels of BLOB's tree are: from the top, which has one block. */
static int place_tree(const struct blobfs *fs, struct blobfs_blob *blob)
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

/* Whether the extents of ENTRY are where extents can be. */
static bool is_placed(const struct blobfs *fs, const struct blobfs_entry *e)
{
	uint64_t full = e->size & ~MASK, rest = e->size & MASK;
	if (e->size > BLOBFS_MAX_SIZE)
		return false;
	if (full != 0 && ((e->data & MASK) != 0 || !is_inside(fs, e->data, full)))
		return false;
	return rest == 0 || is_packed(fs, e->tail, rest);
}

/* ---- trees ------------------------------------------------------------------------- */

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
static int read_tree_block(struct blobfs *fs, const struct blobfs_blob *blob,
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
	int r = read_tree_block(fs, blob, level, index, slot->block);
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
static int find_leaves(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
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

/* ---- blobs ------------------------------------------------------------------------- */

/* Whether the digest is that of a blob of this size with this root; uses FS->block. */
static int check_descriptor(struct blobfs *fs, const struct blobfs_blob *blob)
{
	uint8_t got[BLOBFS_DIGEST_SIZE];
	struct blobfs_descriptor *d = (void *)fs->block;
	wipe(fs->block, sizeof *d);
	d->version = 1;
	d->hash_algorithm = BLOBFS_HASH_SHA256;
	d->block_log2 = BLOBFS_BLOCK_LOG2;
	put_le64(d->size, blob->entry.size);
	copy(d->root, blob->root, sizeof blob->root);
	int r = blobfs_hash(fs, fs->block, sizeof *d, 1, got);
	if (r)
		return r;
	return is_digest(got, blob->entry.digest) ? 0 : BLOBFS_DAMAGED;
}

/* Where the blob's data block INDEX is, and how many bytes of it there are. */
static uint64_t block_offset(const struct blobfs_blob *blob, uint64_t index, size_t *size)
{
	uint64_t full = blob->entry.size >> BLOBFS_BLOCK_LOG2;
	*size = index < full ? BLOBFS_BLOCK : blob->entry.size & MASK;
	return index < full ? blob->entry.data + index * BLOBFS_BLOCK : blob->entry.tail;
}

/* Reads data block INDEX into FS->block, unverified, zero-padded. */
static int read_block(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index)
{
	size_t size;
	uint64_t offset = block_offset(blob, index, &size);
	wipe(fs->block + size, BLOBFS_BLOCK - size);
	return blobfs_read_device(fs, offset, fs->block, size);
}

int blobfs_open_entry(
	struct blobfs *fs, const struct blobfs_entry *entry, struct blobfs_blob *blob)
{
	blob->entry = *entry;
	wipe(blob->root, sizeof blob->root);
	int r = is_placed(fs, entry) ? place_tree(fs, blob) : BLOBFS_MALFORMED;
	if (r)
		return fail(fs, entry->data, r);
	uint64_t top = entry->tree;
	if (blob->levels > 0)
		r = read_tree_block(fs, blob, blob->levels - 1, 0, fs->block);
	else if (entry->size > 0) {
		size_t size;
		top = block_offset(blob, 0, &size);
		r = read_block(fs, blob, 0);
	}
	if (r == 0 && entry->size > 0)
		r = blobfs_hash(fs, fs->block, BLOBFS_BLOCK, 1, blob->root);
	if (r)
		return r;
	r = check_descriptor(fs, blob);
	return r ? fail(fs, top, r) : 0;
}

int blobfs_open_blob(struct blobfs *fs, const uint8_t *digest, struct blobfs_blob *blob)
{
	struct blobfs_entry entry;
	int r = blobfs_find(fs, digest, &entry);
	return r ? r : blobfs_open_entry(fs, &entry, blob);
}

/* Checks COUNT data blocks from INDEX on, at most up to the end of their tree block. */
static int check_blocks(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	const uint8_t *data, size_t count)
{
	const uint8_t *expected = blob->root;
	if (blob->levels > 0) {
		const struct blobfs_slot *leaves = NULL;
		int r = find_leaves(fs, blob, index, &leaves);
		if (r)
			return r;
		expected = leaves->block +
			   (index & (BLOBFS_FANOUT - 1)) * BLOBFS_DIGEST_SIZE;
	}
	int r = blobfs_hash(fs, data, BLOBFS_BLOCK, count, fs->digests);
	size_t size;
	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_digest(fs->digests + i * BLOBFS_DIGEST_SIZE,
			    expected + i * BLOBFS_DIGEST_SIZE))
			r = fail(
				fs, block_offset(blob, index + i, &size), BLOBFS_DAMAGED);
	return r;
}

/* Reads whole blocks from INDEX on straight to the caller: *DONE bytes, or nothing. */
static int read_whole(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	uint8_t *data, size_t size, size_t *done)
{
	uint64_t count = size >> BLOBFS_BLOCK_LOG2;
	uint64_t full = (blob->entry.size >> BLOBFS_BLOCK_LOG2) - index;
	uint64_t covered = BLOBFS_FANOUT - (index & (BLOBFS_FANOUT - 1));
	count = count < full ? count : full;
	count = count < covered ? count : covered;
	*done = (size_t)(count << BLOBFS_BLOCK_LOG2);
	int r = blobfs_read_device(
		fs, blob->entry.data + index * BLOBFS_BLOCK, data, *done);
	if (r == 0)
		r = check_blocks(fs, blob, index, data, (size_t)count);
	if (r) {
		wipe(data, *done);
		*done = 0;
	}
	return r;
}

/* Reads a part of one block: *DONE bytes, or nothing. */
static int read_part(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t offset,
	uint8_t *data, size_t size, size_t *done)
{
	uint64_t index = offset >> BLOBFS_BLOCK_LOG2;
	size_t within = offset & MASK;
	int r = read_block(fs, blob, index);
	if (r == 0)
		r = check_blocks(fs, blob, index, fs->block, 1);
	if (r)
		return r;
	*done = size < BLOBFS_BLOCK - within ? size : BLOBFS_BLOCK - within;
	copy(data, fs->block + within, *done);
	return 0;
}

int blobfs_read(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t offset,
	uint8_t *data, size_t size, size_t *n_read)
{
	uint64_t end = blob->entry.size;
	*n_read = 0;
	if (offset >= end)
		return 0;
	if (size > end - offset)
		size = (size_t)(end - offset);
	while (size > 0) {
		bool whole = (offset & MASK) == 0 && size >= BLOBFS_BLOCK;
		size_t done = 0;
		int r = whole ? read_whole(fs, blob, offset >> BLOBFS_BLOCK_LOG2, data,
					size, &done)
			      : read_part(fs, blob, offset, data, size, &done);
		if (r)
			return r;
		data += done;
		size -= done;
		offset += done;
		*n_read += done;
	}
	return 0;
}
