/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_STORE_COLLECT_H
#define CAIRN_BUILDER_STORE_COLLECT_H

#include "blobfs/objects.h"

/*
 * Removes the blobs that no ref reaches: a ref keeps its blob and, if that is the image
 * of a tree, all blobs the tree names. Unless DRY_RUN, which only counts. The store was
 * opened with OBJECTS_COLLECT. A ref's blob that is missing or damaged stops it before
 * anything is removed, as nobody could then say what is needed.
 */
int store_collect(
	const struct objects *o, bool dry_run, uint64_t *n_kept, uint64_t *n_removed);

#endif
