/* SPDX-License-Identifier: MIT */
/*
 * The way from the root to the hashes of the data, through all levels that there can be,
 * with one step as prove_descend.c leaves it.
 */
#define LEVELS BLOBFS_MAX_LEVELS
#include "tests/proof/model.h"

static uint8_t node[BLOBFS_BLOCK];

/* In place of descend: a block with the hash asked for, in the same memory again. */
int any_descent(struct blobfs *image, const struct blobfs_blob *blob, uint32_t level,
	uint64_t index, const uint8_t **hash)
{
	__CPROVER_assert(image == &fs && level >= 1 && level <= blob->levels, "level");
	__CPROVER_assert(index <= last_block(blob), "a data block of the blob");
	_Bool is_true = is_digest(*hash, true_hash[level]);
	__CPROVER_havoc_object(node);
	if (is_true)
		__CPROVER_assume(is_digest(node + true_at(level), true_hash[level - 1]));
	*hash = node +
		(above(index, level - 1) & FANOUT_MASK) * (size_t)BLOBFS_DIGEST_SIZE;
	return nondet_bool() ? 0 : BLOBFS_DAMAGED;
}

void prove_walk(void)
{
	struct blobfs_blob blob;
	const uint8_t *hashes;
	choose_blob();
	fs.platform = model_platform();
	open_true_blob(&blob);
	uint64_t index = nondet_u64();
	__CPROVER_assume(index <= last_block(&blob));
	if (blobfs_find_hashes(&fs, &blob, index, &hashes) != 0)
		return;
	if (above(index, 1) == above(witness, 1)) {
		if (witness >= index)
			hashes += (witness - index) * BLOBFS_DIGEST_SIZE;
		else
			hashes -= (index - witness) * BLOBFS_DIGEST_SIZE;
		__CPROVER_assert(is_digest(hashes, true_hash[0]), "the true hash");
		REACHED(blob.levels == BLOBFS_MAX_LEVELS);
	}
}
