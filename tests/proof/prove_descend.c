/* SPDX-License-Identifier: MIT */
/*
 * One step down a tree of any depth, at any level, from any state of the slots: what is
 * found is a block with the hash that was asked for, so it holds the true hash of what is
 * below; and the slots stay true. This is the step of an induction over the levels and
 * over all reads; prove_walk.c makes the way from the root of it.
 */
#include "tests/proof/model.h"

void prove_descend(void)
{
	struct blobfs_blob blob;
	choose_path();
	any_open_image();
	__CPROVER_havoc_object(&blob);
	uint32_t level = nondet_u32();
	uint64_t index = nondet_u64();
	__CPROVER_assume(are_levels(blob.entry.size, blob.levels));
	__CPROVER_assume(
		level >= 1 && level <= blob.levels && index <= last_block(&blob));
	__CPROVER_assume(is_block_placed(&blob, level, above(index, level)));

	/* The hash comes from the root, or from a slot that the block may go into. */
	size_t from = nondet_size();
	__CPROVER_assume(from <= BLOBFS_BLOCK - BLOBFS_DIGEST_SIZE);
	const uint8_t *hash = nondet_bool()   ? blob.root
			      : nondet_bool() ? slots[0].block + from
					      : slots[1].block + from;
	_Bool is_true = is_digest(hash, true_hash[1]);
	int r = descend(&fs, &blob, level, index, &hash);
	__CPROVER_assert(slots_are_true(), "what is kept is true");
	if (r != 0)
		return;
	size_t at = (size_t)(above(index, level - 1) & FANOUT_MASK) * BLOBFS_DIGEST_SIZE;
	const uint8_t *block = hash - at;
	__CPROVER_assert(block == slots[0].block || block == slots[1].block, "a slot");
	if (is_true)
		__CPROVER_assert(is_digest(block + true_at(1), true_hash[0]),
			"the true hash of what is below");
	REACHED(is_true && level > 1 && true_at(1) > 0);
}
