/* SPDX-License-Identifier: MIT */
/*
 * Any entry, with blocks and digests as large as they are: if its parts can be placed,
 * every block of every level is within the device, and the levels are as many as the size
 * needs, at most 8.
 */
#include "tests/proof/model.h"

void prove_place(void)
{
	struct blobfs_blob blob;
	__CPROVER_havoc_object(&blob);
	fs.platform = model_platform();
	if (blobfs_place(&fs, &blob) != 0)
		return;
	__CPROVER_assert(blob.entry.size <= BLOBFS_MAX_SIZE, "size");
	__CPROVER_assert(are_levels(blob.entry.size, blob.levels), "levels");
	__CPROVER_assert(blob.level_offset[0] == blob.entry.data, "data");
	__CPROVER_assert(is_data_placed(&fs, &blob.entry), "data within the device");
	uint32_t level = nondet_u32();
	uint64_t index = nondet_u64();
	if (blob.entry.size > 0 && level <= blob.levels &&
		index <= above(last_block(&blob), level))
		__CPROVER_assert(is_block_placed(&blob, level, index), "block");
	REACHED(blob.levels == BLOBFS_MAX_LEVELS);
}
