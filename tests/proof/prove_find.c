/* SPDX-License-Identifier: MIT */
/*
 * One step of the search, on any range of any run: it finds the digest that was asked for
 * or leaves at most half of the range. prove_lookup.c makes the whole search of it.
 */
#include "tests/proof/model.h"

void prove_find(void)
{
	struct blobfs_run run = {nondet_u64(), nondet_u64()};
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	struct blobfs_entry found;
	uint64_t low = nondet_u64(), high = nondet_u64();
	__CPROVER_havoc_object(&fs);
	fs.platform = model_platform();
	/* See prove_open.c. */
	__CPROVER_assume(run.offset <= device_size &&
			 run.pages <= (device_size - run.offset) / BLOBFS_BLOCK);
	__CPROVER_assume(low < high && high <= run.pages);
	havoc(digest, sizeof digest);
	uint64_t was = high - low, first = low, end = high;
	int r = search_step(&fs, &run, digest, &low, &high, &found);
	if (r == 0) {
		__CPROVER_assert(is_digest(found.digest, digest), "found what was asked");
		REACHED(1);
	}
	if (r == BLOBFS_MISSING)
		__CPROVER_assert(first <= low && low <= high && high <= end &&
					 high - low <= was / 2,
			"the range is halved");
}
