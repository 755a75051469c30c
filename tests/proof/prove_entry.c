/* SPDX-License-Identifier: MIT */
/* Any entry at all: if the blob opens, its size and root are those of its digest. */
#include "tests/proof/model.h"

void prove_entry(void)
{
	struct blobfs_entry entry;
	struct blobfs_blob blob;
	choose_truth();
	any_open_image();
	__CPROVER_havoc_object(&entry);
	copy(entry.digest, true_digest, sizeof true_digest);
	int r = blobfs_open_entry(&fs, &entry, &blob);
	if (r != 0)
		return;
	__CPROVER_assert(blob.entry.size == true_size, "the size is the true one");
	__CPROVER_assert(is_digest(blob.root, true_hash[true_levels]), "so is the root");
	__CPROVER_assert(blob.levels == true_levels, "and the depth");
#ifdef REACH
	__CPROVER_assert(0, "reachable");
#endif
}
