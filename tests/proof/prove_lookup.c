/* SPDX-License-Identifier: MIT */
/*
 * The whole lookup, in up to 8 runs of any number of pages, each
 * searched as prove_search.c leaves it: it gives what was asked for and is no tombstone.
 */
#include "tests/proof/model.h"

/* In place of search_run. */
int any_search(struct blobfs *image, const struct blobfs_run *run, const uint8_t *digest,
	struct blobfs_entry *found)
{
	__CPROVER_assert(image == &fs && __CPROVER_r_ok(run, sizeof *run), "a run");
	__CPROVER_havoc_object(found);
	copy(found->digest, digest, sizeof found->digest);
	int r = nondet_int();
	__CPROVER_assume(r >= 0 && r <= BLOBFS_IO);
	return r;
}

void prove_lookup(void)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	struct blobfs_entry found;
	__CPROVER_havoc_object(&fs);
	fs.platform = model_platform();
	__CPROVER_assume(fs.n_runs <= BLOBFS_MAX_RUNS);
	havoc(digest, sizeof digest);
	if (blobfs_find(&fs, digest, &found) != 0)
		return;
	__CPROVER_assert(is_digest(found.digest, digest), "found what was asked");
	__CPROVER_assert(found.size != BLOBFS_TOMBSTONE, "not a tombstone");
	REACHED(1);
}
