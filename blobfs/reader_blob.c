/* SPDX-License-Identifier: MIT */
/* The reader's second part: from an index entry to verified bytes. */
#include "blobfs/reader_parts.h"

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
	int r = is_placed(fs, entry) ? blobfs_place_tree(fs, blob) : BLOBFS_MALFORMED;
	if (r)
		return fail(fs, entry->data, r);
	uint64_t top = entry->tree;
	if (blob->levels > 0)
		r = blobfs_read_tree_block(fs, blob, blob->levels - 1, 0, fs->block);
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
		int r = blobfs_find_leaves(fs, blob, index, &leaves);
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
