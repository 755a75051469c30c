/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_PASS_H
#define CAIRN_VERIFIER_EXAMINE_PASS_H

#include "core/ranges.h"
#include "verifier/examination.h"
#include "verifier/examine/memory.h"

/*
 * One reading of a whole file. All that is made of it (digests of several kinds, block
 * digests, a copy) is made of the same bytes, read once.
 */

/* Sizes of blocks, bytes: powers of two. */
#define PASS_BLOCK_MIN 4096
#define PASS_BLOCK_MAX 65536

/* Bytes of a block digest (SHA-256). */
#define PASS_DIGEST 32

struct pass {
	const struct file *file;
	struct file_digests *digests; /* filled in; must be zeroed */
	bool interop;                 /* MD5 and SHA-1 as well */
	uint64_t piece_size;          /* of piecewise hashes, bytes; 0: none */
	uint32_t block_size;          /* of block digests */
	/*
	 * Block digests, PASS_DIGEST bytes each; NULL: none. With COMPARE they are those
	 * of before, zeros where there is none, and blocks that differ go to `changed`;
	 * else they are written here.
	 */
	struct memory *leaves;
	bool compare;
	struct ranges changed; /* the caller frees it */
	/* A copy of these bytes of the file; NULL: none. */
	struct memory *copy;
	uint64_t copy_offset;
	/* Called between pieces; a negative result ends the pass. NULL: nothing. */
	int (*tick)(void *context);
	void *context;
};

/* How many blocks SIZE bytes are; a last one that is not full counts. */
uint64_t pass_blocks(uint64_t size, uint32_t block_size);

/* Reads FILE once, as large as it was when it was opened. */
int pass_run(struct pass *p);

#endif
