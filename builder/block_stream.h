/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_BLOCK_STREAM_H
#define CAIRN_BUILDER_BLOCK_STREAM_H

#include "builder/tree.h"

#define BLOCK_STREAM_SIZE 4096

/*
 * The content of a regular file as blocks of 4096 bytes, in order, without those that are
 * all zeros: the same for a file with holes and for its copy without. The last block is
 * filled up with zeros. GIVE is told the block's number; what it returns below 0 ends it.
 */
int block_stream(const struct tree *tree, const struct tree_entry *entry,
	int (*give)(void *context, const uint8_t *data, uint64_t number), void *context);

#endif
