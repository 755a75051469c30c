/* SPDX-License-Identifier: MIT */
/*
 * Data blocks that are read together, as many as a tree block has hashes: with the true
 * hashes, as prove_walk.c leaves them, every byte is true, and on failure none is left.
 */
#define LEVELS BLOBFS_MAX_LEVELS
#define FACTS  0
#include "tests/proof/model.h"

static uint8_t node[BLOBFS_BLOCK], out[BLOBFS_FANOUT * BLOBFS_BLOCK];

/* In place of blobfs_find_hashes. */
int any_hashes(struct blobfs *image, const struct blobfs_blob *blob, uint64_t index,
	const uint8_t **hashes)
{
	__CPROVER_assert(image == &fs && index <= last_block(blob), "a data block");
	__CPROVER_havoc_object(node);
	*hashes = blob->root;
	if (blob->levels > 0) {
		if (above(index, 1) == above(witness, 1))
			__CPROVER_assume(is_digest(node + true_at(1), true_hash[0]));
		*hashes = node + (index & FANOUT_MASK) * (size_t)BLOBFS_DIGEST_SIZE;
	}
	return nondet_bool() ? 0 : BLOBFS_DAMAGED;
}

void prove_block(void)
{
	struct blobfs_blob blob;
	choose_blob();
	__CPROVER_havoc_object(&fs);
	fs.platform = model_platform();
	open_true_blob(&blob);
	uint64_t index = nondet_u64();
	size_t count = nondet_size(), i = nondet_size();
	__CPROVER_assume(index <= last_block(&blob) && count > 0);
	__CPROVER_assume(count <= BLOBFS_FANOUT - (index & FANOUT_MASK));
	/* Full ones, or the last one alone. */
	uint64_t full = true_size / BLOBFS_BLOCK;
	__CPROVER_assume(index + count <= full || (count == 1 && index == full));
	among = witness >= index ? witness - index : BLOBFS_FANOUT;
	int r = read_checked(&fs, &blob, index, out, count);
	__CPROVER_assume(i < count * BLOBFS_BLOCK);
	if (r != 0) {
		__CPROVER_assert(out[i] == 0, "nothing unverified is left");
		return;
	}
	if (index + i / BLOBFS_BLOCK == witness && i % BLOBFS_BLOCK == witness_byte)
		__CPROVER_assert(out[i] == true_byte, "every byte is true");
	REACHED(count == BLOBFS_FANOUT && blob.levels > 1);
}
