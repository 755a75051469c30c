/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_BLOCK_CACHE_H
#define CAIRN_CORE_BLOCK_CACHE_H

#include "core/file.h"

/*
 * The blocks of a file that were read last, for many small reads that lie close together.
 * Set FILE and zero the rest. For one thread at a time.
 */
#define BLOCK_CACHE_BLOCK 4096u /* bytes */
#define BLOCK_CACHE_SLOTS 256u

struct block_cache {
	const struct file *file;          /* not owned */
	uint8_t *blocks;                  /* owned; NULL before the first read */
	uint64_t held[BLOCK_CACHE_SLOTS]; /* block number plus one; 0: none */
};

/*
 * As file_read; CONTEXT is the struct block_cache. What is larger than a block is read
 * from the file and not kept.
 */
int block_cache_read(void *context, void *data, size_t size, uint64_t offset);

void block_cache_free(struct block_cache *c);

#endif
