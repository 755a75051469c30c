/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_PROOF_MODEL_H
#define CAIRN_PROOF_MODEL_H

/*
 * The reader's surroundings in the proofs: a device that answers anything, and a hash of
 * which only one thing is assumed, that it has no collisions. That is said for one byte
 * of one blob, chosen arbitrarily, and for the path from it up to the blob's digest: a
 * block with the digest of the true one has the true bytes. What is proved for an
 * arbitrary byte is proved for all.
 */
#include "tests/proof/bytes.h"

#include "blobfs/reader.c"
#include "blobfs/reader_blob.c"
#include "blobfs/reader_tree.c"

/* Where the blocks of a level above data block INDEX are. */
static uint64_t block_above(uint64_t index, uint32_t level)
{
	return index >> (BLOBFS_FANOUT_LOG2 * (level + 1));
}

uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
size_t nondet_size(void);
int nondet_int(void);
_Bool nondet_bool(void);

#ifndef LEVELS
#define LEVELS 2
#endif

/* The true blob, as far as it matters. */
static uint8_t true_digest[BLOBFS_DIGEST_SIZE];
static uint64_t true_size;
static uint64_t witness;      /* data block */
static uint64_t witness_byte; /* in it */
static uint8_t true_byte;
/* Of the data block, of the tree block of each level above it; the last is the root. */
static uint8_t true_hash[LEVELS + 1][BLOBFS_DIGEST_SIZE];
static uint32_t true_levels;

static void choose_truth(void)
{
	__CPROVER_havoc_slice(true_digest, sizeof true_digest);
	__CPROVER_havoc_slice(true_hash, sizeof true_hash);
	true_size = nondet_u64();
	witness = nondet_u64();
	witness_byte = nondet_u64();
	__CPROVER_assume(witness_byte < BLOBFS_BLOCK);
	true_byte = (uint8_t)nondet_u32();
	uint64_t n = count_leaves(true_size);
	true_levels = 0;
	for (uint32_t i = 0; i < LEVELS && n > 1; i++) {
		n = u64_div_up(n, BLOBFS_FANOUT);
		true_levels++;
	}
	__CPROVER_assume(n <= 1);
	__CPROVER_assume(witness < count_leaves(true_size));
}

/* Where in the tree block of LEVEL the hash on the witness's path is. */
static size_t child_offset(uint32_t level)
{
	uint64_t child = level == 0 ? witness : block_above(witness, level - 1);
	return (size_t)(child & (BLOBFS_FANOUT - 1)) * BLOBFS_DIGEST_SIZE;
}

/* What a block with this digest must hold. */
static void assume_block(const uint8_t *block, const uint8_t *digest)
{
	if (is_digest(digest, true_hash[0]))
		__CPROVER_assume(block[witness_byte] == true_byte);
	for (uint32_t level = 0; level < LEVELS; level++)
		if (level < true_levels && is_digest(digest, true_hash[level + 1]))
			__CPROVER_assume(
				is_digest(block + child_offset(level), true_hash[level]));
}

static void assume_descriptor(const uint8_t *data, const uint8_t *digest)
{
	const struct blobfs_descriptor *d = (const void *)data;
	if (is_digest(digest, true_digest))
		__CPROVER_assume(get_le64(d->size) == true_size &&
				 is_digest(d->root, true_hash[true_levels]));
}

static uint64_t device_size;

static int model_read(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	(void)context;
	__CPROVER_assert(offset <= device_size && size <= device_size - offset,
		"read within the device");
	__CPROVER_assert(size > 0 && __CPROVER_w_ok(data, size), "read: room to write");
	__CPROVER_havoc_slice(data, size);
	return nondet_bool() ? 0 : -1;
}

static int model_hash(
	void *context, const uint8_t *data, size_t size, size_t count, uint8_t *digests)
{
	(void)context;
	__CPROVER_assert(count > 0 && count <= BLOBFS_FANOUT, "hash: count");
	__CPROVER_assert(__CPROVER_r_ok(data, size * count), "hash: bytes to read");
	__CPROVER_assert(__CPROVER_w_ok(digests, count * BLOBFS_DIGEST_SIZE),
		"hash: room to write");
	__CPROVER_havoc_slice(digests, count * BLOBFS_DIGEST_SIZE);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *digest = digests + i * BLOBFS_DIGEST_SIZE;
		if (size == BLOBFS_BLOCK)
			assume_block(data + i * size, digest);
		/* Both, where blocks are as small as descriptors. */
		if (size == sizeof(struct blobfs_descriptor))
			assume_descriptor(data, digest);
	}
	return nondet_bool() ? 0 : -1;
}

static struct blobfs_platform model_platform(void)
{
	device_size = nondet_u64();
	__CPROVER_assume(device_size <= INT64_MAX);
	return (struct blobfs_platform){NULL, device_size, model_read, model_hash};
}

#define N_SLOTS 2

static struct blobfs fs;
static struct blobfs_slot slots[N_SLOTS];

/* What every slot always holds: nothing, or what its name says. */
static _Bool slot_is_true(const struct blobfs_slot *slot)
{
	if (!slot->valid || slot->level >= true_levels ||
		!is_digest(slot->digest, true_digest) ||
		slot->index != block_above(witness, slot->level))
		return 1;
	return is_digest(slot->block + child_offset(slot->level), true_hash[slot->level]);
}

/* An open image in any state that the reader may have left it in. */
static void any_open_image(void)
{
	__CPROVER_havoc_object(&fs);
	__CPROVER_havoc_object(slots);
	fs.platform = model_platform();
	fs.slots = slots;
	fs.n_slots = N_SLOTS;
	for (uint32_t i = 0; i < N_SLOTS; i++)
		__CPROVER_assume(slot_is_true(&slots[i]));
}

#endif
