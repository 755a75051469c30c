/* SPDX-License-Identifier: MIT */
/*
 * Any place of any open blob, read in up to 6 pieces as prove_piece.c leaves them: they
 * follow each other in the blob and in the caller's memory, up to the end of either.
 */
#define LEVELS BLOBFS_MAX_LEVELS
#include "tests/proof/model.h"

#define ROOM ((size_t)6)

static uint8_t out[ROOM];
static uint64_t start;

/* In place of read_some. */
int any_piece(struct blobfs *image, const struct blobfs_blob *blob, uint64_t offset,
	uint8_t *data, size_t size, size_t *done)
{
	__CPROVER_assert(image == &fs && offset < blob->entry.size && size > 0 &&
				 size <= blob->entry.size - offset,
		"bytes that the blob has");
	__CPROVER_assert(offset >= start && data == out + (offset - start), "in order");
	__CPROVER_assert(__CPROVER_w_ok(data, size), "room");
	*done = nondet_size();
	__CPROVER_assume(*done > 0 && *done <= size);
	return nondet_bool() ? 0 : BLOBFS_DAMAGED;
}

void prove_read(void)
{
	struct blobfs_blob blob;
	__CPROVER_havoc_object(&blob);
	size_t size = nondet_size(), n;
	__CPROVER_assume(size <= ROOM);
	start = nondet_u64();
	int r = blobfs_read(&fs, &blob, start, out, size, &n);
	uint64_t left = start < blob.entry.size ? blob.entry.size - start : 0;
	__CPROVER_assert(n <= size && n <= left, "no more than there is");
	if (r == 0)
		__CPROVER_assert(n == size || n == left, "all of it");
	REACHED(r == 0 && n == ROOM);
}
