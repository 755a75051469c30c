/* SPDX-License-Identifier: MIT */
/* The reader's second part: from an index entry to verified bytes. */
#include "blobfs/reader_parts.h"

/* Whether the digest is that of a blob of this size with this root. */
static int check_descriptor(struct blobfs *fs, const struct blobfs_blob *blob)
{
	struct blobfs_descriptor d;
	size_t size;
	wipe((uint8_t *)&d, sizeof d);
	d.version = 1;
	d.hash_algorithm = BLOBFS_HASH_SHA256;
	d.block_log2 = BLOBFS_BLOCK_LOG2;
	put_le64(d.size, blob->entry.size);
	copy(d.root, blob->root, sizeof blob->root);
	return blobfs_check_hash(fs, (const uint8_t *)&d, sizeof d, blob->entry.digest,
		blobfs_block_offset(blob, blob->levels, 0, &size));
}

int blobfs_open_entry(
	struct blobfs *fs, const struct blobfs_entry *entry, struct blobfs_blob *blob)
{
	blob->entry = *entry;
	wipe(blob->root, sizeof blob->root);
	int r = blobfs_place(fs, blob);
	if (r)
		return fail(fs, entry->data, r);
	if (entry->size > 0) {
		r = blobfs_read_blocks(fs, blob, blob->levels, 0, fs->block, 1);
		if (r == 0)
			r = blobfs_hash(fs, fs->block, BLOBFS_BLOCK, 1, blob->root);
	}
	return r ? r : check_descriptor(fs, blob);
}

int blobfs_open_blob(struct blobfs *fs, const uint8_t *digest, struct blobfs_blob *blob)
{
	struct blobfs_entry entry;
	int r = blobfs_find(fs, digest, &entry);
	return r ? r : blobfs_open_entry(fs, &entry, blob);
}

/*
 * Reads COUNT data blocks from INDEX on, whose hashes are in one tree block, and checks
 * them where they lie: all of them, or none is left in DATA.
 */
static int read_checked(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t index,
	uint8_t *data, size_t count)
{
	const uint8_t *expected;
	size_t size;
	int r = blobfs_find_hashes(fs, blob, index, &expected);
	if (r == 0)
		r = blobfs_read_blocks(fs, blob, 0, index, data, count);
	if (r == 0)
		r = blobfs_hash(fs, data, BLOBFS_BLOCK, count, fs->digests);
	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_digest(fs->digests + i * BLOBFS_DIGEST_SIZE,
			    expected + i * BLOBFS_DIGEST_SIZE))
			r = fail(fs, blobfs_block_offset(blob, 0, index + i, &size),
				BLOBFS_DAMAGED);
	if (r)
		wipe(data, count * BLOBFS_BLOCK);
	return r;
}

/*
 * Reads some of the SIZE bytes at OFFSET, which the blob has: *DONE, at least one. Whole
 * blocks go straight to the caller, parts by way of FS->block.
 */
static int read_some(struct blobfs *fs, const struct blobfs_blob *blob, uint64_t offset,
	uint8_t *data, size_t size, size_t *done)
{
	uint64_t index = offset >> BLOBFS_BLOCK_LOG2;
	size_t within = offset & MASK, room = BLOBFS_BLOCK - within;
	size_t count = within ? 0 : size >> BLOBFS_BLOCK_LOG2;
	size_t covered = BLOBFS_FANOUT - (index & (BLOBFS_FANOUT - 1));
	count = count < covered ? count : covered;
	if (count > 0) {
		*done = count << BLOBFS_BLOCK_LOG2;
		return read_checked(fs, blob, index, data, count);
	}
	int r = read_checked(fs, blob, index, fs->block, 1);
	if (r)
		return r;
	*done = size < room ? size : room;
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
	while (*n_read < size) {
		size_t done;
		int r = read_some(fs, blob, offset + *n_read, data + *n_read,
			size - *n_read, &done);
		if (r)
			return r;
		*n_read += done;
	}
	return 0;
}
