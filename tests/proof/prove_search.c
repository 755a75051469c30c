/* SPDX-License-Identifier: MIT */
/*
 * The search in a run of any number of pages, with one step as prove_find.c leaves it: it
 * ends after at most 64 steps.
 */
#include "tests/proof/model.h"

static uint32_t steps;

/* In place of search_step. What was less than 2^k pages is now less than 2^(k - 1). */
int any_step(struct blobfs *image, const struct blobfs_run *run, const uint8_t *digest,
	uint64_t *low, uint64_t *high, struct blobfs_entry *found)
{
	__CPROVER_assert(image == &fs && *low < *high && *high <= run->pages, "a range");
	__CPROVER_assert(steps == 0 || (*high - *low) >> (64 - steps) == 0, "halved");
	int r = nondet_int();
	__CPROVER_assume(r >= 0 && r <= BLOBFS_IO);
	steps++;
	if (r == 0) {
		__CPROVER_havoc_object(found);
		copy(found->digest, digest, sizeof found->digest);
	} else if (r == BLOBFS_MISSING) {
		*low = nondet_u64();
		*high = nondet_u64();
		__CPROVER_assume(*low <= *high && *high <= run->pages);
		__CPROVER_assume(steps == 64 ? *low == *high
					     : (*high - *low) >> (64 - steps) == 0);
	}
	return r;
}

void prove_search(void)
{
	struct blobfs_run run = {nondet_u64(), nondet_u64()};
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	struct blobfs_entry found;
	havoc(digest, sizeof digest);
	if (search_run(&fs, &run, digest, &found) != 0)
		return;
	__CPROVER_assert(is_digest(found.digest, digest), "found what was asked");
	REACHED(1);
}
