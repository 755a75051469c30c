/* SPDX-License-Identifier: MIT */
/*
 * One piece of any open blob, of up to 3 blocks, with what is read and checked as
 * prove_block.c leaves it: every byte handed out is true, nothing else is handed out.
 */
#define LEVELS BLOBFS_MAX_LEVELS
#include "tests/proof/model.h"

#define ROOM ((size_t)(3 * BLOBFS_BLOCK))

static uint8_t out[ROOM];

/* In place of read_checked. */
int any_blocks(struct blobfs *image, const struct blobfs_blob *blob, uint64_t index,
	uint8_t *data, size_t count)
{
	uint64_t full = true_size / BLOBFS_BLOCK;
	__CPROVER_assert(image == &fs && index <= last_block(blob), "a data block");
	__CPROVER_assert(count > 0 && count <= BLOBFS_FANOUT - (index & FANOUT_MASK) &&
				 (index + count <= full || (count == 1 && index == full)),
		"blocks that are read together");
	__CPROVER_assert(__CPROVER_w_ok(data, count * BLOBFS_BLOCK), "room");
	if (nondet_bool()) {
		wipe(data, count * BLOBFS_BLOCK);
		return BLOBFS_DAMAGED;
	}
	havoc(data, count * BLOBFS_BLOCK);
	if (witness >= index && witness - index < count)
		__CPROVER_assume(data[(witness - index) * BLOBFS_BLOCK + witness_byte] ==
				 true_byte);
	return 0;
}

void prove_piece(void)
{
	struct blobfs_blob blob;
	choose_blob();
	__CPROVER_havoc_object(&fs);
	fs.platform = model_platform();
	open_true_blob(&blob);
	uint64_t offset = nondet_u64(), at = witness * BLOBFS_BLOCK + witness_byte;
	size_t size = nondet_size(), done = 0, i = nondet_size();
	__CPROVER_assume(size > 0 && size <= ROOM && i < ROOM);
	__CPROVER_assume(offset < true_size && size <= true_size - offset);
	int r = read_some(&fs, &blob, offset, out, size, &done);
	if (r != 0) {
		__CPROVER_assert(out[i] == 0, "nothing unverified is handed out");
		return;
	}
	__CPROVER_assert(done > 0 && done <= size, "some, and no more than asked for");
	if (i >= done)
		__CPROVER_assert(out[i] == 0, "nothing else is handed out");
	else if (offset + i == at)
		__CPROVER_assert(out[i] == true_byte, "every byte is true");
	REACHED(done == ROOM);
}
