/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_PROOF_MODEL_H
#define CAIRN_PROOF_MODEL_H

/*
 * The reader's surroundings in the proofs: a device that answers anything, and a hash of
 * which only one thing is assumed, that it has no collisions. That is said for facts,
 * each chosen arbitrarily: the true block with the hash PARENT holds, AT bytes from its
 * start, the hash CHILD of the true block below it. So a block with the digest PARENT has
 * CHILD there. The last fact is about one byte of one data block. As the facts are
 * arbitrary, what is proved for them is proved for all blocks of all trees.
 */
#include "tests/proof/bytes.h"

#include "blobfs/reader.c"
#include "blobfs/reader_blob.c"
#include "blobfs/reader_tree.c"

uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
size_t nondet_size(void);
int nondet_int(void);
_Bool nondet_bool(void);
uint8_t nondet_u8(void);

/* Anything. The checker's own havoc_slice does nothing where the pointer is not known. */
static void havoc(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = nondet_u8();
}

/* Levels of the tree that the harness speaks of, each with a fact. */
#ifndef LEVELS
#define LEVELS 1
#endif

/* Levels whose facts the hash and the slots of the harness know of. */
#ifndef FACTS
#define FACTS LEVELS
#endif

#define FANOUT_MASK (BLOBFS_FANOUT - 1)

/* true_hash[0] is that of the data block WITNESS, true_hash[l] of what is above it. */
static uint8_t true_hash[LEVELS + 1][BLOBFS_DIGEST_SIZE];
static uint64_t witness;      /* data block */
static uint64_t witness_byte; /* in it */
static uint8_t true_byte;

/* The name of the blob and what the true descriptor says. */
static uint8_t true_digest[BLOBFS_DIGEST_SIZE];
static uint64_t true_size;
static uint32_t true_levels;

/* Any path through any tree. */
static void choose_path(void)
{
	__CPROVER_havoc_object(true_hash);
	witness = nondet_u64();
	witness_byte = nondet_u64();
	__CPROVER_assume(witness_byte < BLOBFS_BLOCK);
	true_byte = (uint8_t)nondet_u32();
}

/* Where in the block of LEVEL above the witness the hash of what is below lies. */
static size_t true_at(uint32_t level)
{
	return (size_t)(above(witness, level - 1) & FANOUT_MASK) * BLOBFS_DIGEST_SIZE;
}

/* The levels of a tree over SIZE bytes. */
static _Bool are_levels(uint64_t size, uint32_t levels)
{
	uint64_t last = size ? (size - 1) / BLOBFS_BLOCK : 0;
	return levels <= BLOBFS_MAX_LEVELS && above(last, levels) == 0 &&
	       (levels == 0 || above(last, levels - 1) > 0);
}

/* A blob of at most LEVELS levels that has the path in it. */
static void choose_blob(void)
{
	choose_path();
	__CPROVER_havoc_object(true_digest);
	true_size = nondet_u64();
	__CPROVER_assume(true_size > 0 && true_size <= BLOBFS_MAX_SIZE);
	true_levels = nondet_u32();
	__CPROVER_assume(true_levels <= LEVELS && are_levels(true_size, true_levels));
	__CPROVER_assume(witness <= (true_size - 1) / BLOBFS_BLOCK);
}

static _Bool holds_fact(const uint8_t *block, const uint8_t *digest, uint32_t level)
{
	if (!is_digest(digest, true_hash[level]))
		return 1;
	return level == 0 ? block[witness_byte] == true_byte
			  : is_digest(block + true_at(level), true_hash[level - 1]);
}

static struct blobfs fs;
static uint64_t device_size;
static uint64_t among; /* which of the blocks that are hashed together is the witness */

static int model_read(void *context, uint64_t offset, uint8_t *data, size_t size)
{
	(void)context;
	__CPROVER_assert(offset <= device_size && size <= device_size - offset,
		"read within the device");
	__CPROVER_assert(size > 0 && __CPROVER_w_ok(data, size), "read: room to write");
	if (data == fs.block && size == sizeof fs.block)
		__CPROVER_havoc_slice(fs.block, sizeof fs.block);
	else
		havoc(data, size);
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
	havoc(digests, count * BLOBFS_DIGEST_SIZE);
	/* Of several blocks only about the one that matters: less is assumed so. */
	if (size == BLOBFS_BLOCK && among < count)
		for (uint32_t level = 0; level <= FACTS; level++)
			__CPROVER_assume(holds_fact(data + among * size,
				digests + among * BLOBFS_DIGEST_SIZE, level));
	/* Where blocks are as small as descriptors, it may be either. */
	const struct blobfs_descriptor *d = (const void *)data;
	if (size == sizeof *d && is_digest(digests, true_digest))
		__CPROVER_assume(get_le64(d->size) == true_size &&
				 is_digest(d->root, true_hash[true_levels]));
	return nondet_bool() ? 0 : -1;
}

static struct blobfs_platform model_platform(void)
{
	device_size = nondet_u64();
	return (struct blobfs_platform){NULL, device_size, model_read, model_hash};
}

#ifndef N_SLOTS
#define N_SLOTS 2
#endif

static struct blobfs_slot slots[N_SLOTS];

/* What every slot always holds: nothing, or the block with the hash it says. */
static _Bool slots_are_true(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++)
		for (uint32_t level = 0; level <= FACTS; level++)
			if (slots[i].valid &&
				!holds_fact(slots[i].block, slots[i].hash, level))
				return 0;
	return 1;
}

/* An open image in any state that the reader may have left it in. */
static void any_open_image(void)
{
	__CPROVER_havoc_object(&fs);
	__CPROVER_havoc_object(slots);
	fs.platform = model_platform();
	fs.slots = slots;
	fs.n_slots = N_SLOTS;
	__CPROVER_assume(slots_are_true());
}

/* What blobfs_place makes sure of (prove_place.c): block INDEX of LEVEL is within the
 * device, as far as there is something of it.
 */
static _Bool is_block_placed(
	const struct blobfs_blob *blob, uint32_t level, uint64_t index)
{
	uint64_t offset = blob->level_offset[level], limit = UINT64_MAX / BLOBFS_BLOCK;
	size_t size;
	if (index > limit || offset > UINT64_MAX - index * BLOBFS_BLOCK)
		return 0;
	offset = blobfs_block_offset(blob, level, index, &size);
	return size > 0 && size <= BLOBFS_BLOCK && is_inside(&fs, offset, size);
}

/* The true blob as prove_entry.c leaves it open: its places are lies as ever. */
static void open_true_blob(struct blobfs_blob *blob)
{
	__CPROVER_havoc_object(blob);
	blob->entry.size = true_size;
	copy(blob->entry.digest, true_digest, sizeof true_digest);
	copy(blob->root, true_hash[true_levels], sizeof blob->root);
	blob->levels = true_levels;
	blob->level_offset[0] = blob->entry.data;
	__CPROVER_assume(is_data_placed(&fs, &blob->entry));
}

#ifdef REACH
#define REACHED(condition) __CPROVER_assert(!(condition), "reachable")
#else
#define REACHED(condition)
#endif

#endif
