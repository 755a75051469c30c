/* SPDX-License-Identifier: MIT */
/* Any entry at all: if the blob opens, its size and root are those of its digest. */
#define LEVELS BLOBFS_MAX_LEVELS
#define FACTS  0
#include "tests/proof/model.h"

/* In place of blobfs_place: as prove_place.c leaves it. */
int any_place(const struct blobfs *image, struct blobfs_blob *blob)
{
	struct blobfs_entry entry = blob->entry;
	__CPROVER_assert(image == &fs, "image");
	__CPROVER_havoc_object(blob);
	blob->entry = entry;
	wipe(blob->root, sizeof blob->root);
	__CPROVER_assume(entry.size <= BLOBFS_MAX_SIZE);
	__CPROVER_assume(are_levels(entry.size, blob->levels));
	__CPROVER_assume(entry.size == 0 || is_block_placed(blob, blob->levels, 0));
	return nondet_bool() ? 0 : BLOBFS_MALFORMED;
}

void prove_entry(void)
{
	struct blobfs_entry entry;
	struct blobfs_blob blob;
	choose_blob();
	__CPROVER_havoc_object(&fs);
	fs.platform = model_platform();
	__CPROVER_havoc_object(&entry);
	copy(entry.digest, true_digest, sizeof true_digest);
	if (blobfs_open_entry(&fs, &entry, &blob) != 0)
		return;
	__CPROVER_assert(blob.entry.size == true_size, "the size is the true one");
	__CPROVER_assert(is_digest(blob.root, true_hash[true_levels]), "so is the root");
	__CPROVER_assert(blob.levels == true_levels, "and the depth");
	REACHED(blob.levels == BLOBFS_MAX_LEVELS);
}
