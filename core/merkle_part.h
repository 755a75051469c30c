/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_MERKLE_PART_H
#define CAIRN_CORE_MERKLE_PART_H

#include <pthread.h>
#include <sys/stat.h>

#include "core/block_hash.h"
#include "core/merkle.h"

/*
 * What building and checking share: the hash functions of a tree, and the data cut into
 * pieces that threads read on their own. Internal to core/merkle_*.c.
 *
 * Larger pieces make fewer system calls, but only whole ones can be holes.
 */
#define PIECE_SPARSE ((size_t)1 << 20)
#define PIECE_SIZE   ((size_t)1 << 21)

struct merkle_part {
	const struct merkle_params *params;
	const struct merkle_data *data;
	struct merkle_layout layout;
	struct block_hash data_hash;
	struct block_hash tree_hash;
	size_t piece_size;     /* bytes, at most PIECE_SIZE */
	uint64_t piece_blocks; /* data blocks in a piece; the last one may have fewer */
	uint64_t n_pieces;
	bool sequential; /* a pipe: pieces are read in order */
	uint64_t next_read;
	bool stopped; /* an error: nobody waits for a turn any more */
	pthread_mutex_t lock;
	pthread_cond_t turn;
	struct stat before;
};

int merkle_part_init(struct merkle_part *m, const struct merkle_params *p,
	const struct merkle_data *data);
void merkle_part_free(struct merkle_part *m);

/* Data blocks in piece number PIECE. */
size_t merkle_part_blocks(const struct merkle_part *m, uint64_t piece);

/*
 * Reads a piece into BUFFER (PIECE_SIZE bytes) and fills its last block up. *HOLE tells
 * that nothing was read since the file has a hole there: the content is zeros. Returns 1
 * instead of 0 if another thread failed meanwhile.
 */
int merkle_part_read(struct merkle_part *m, uint64_t piece, uint8_t *buffer, bool *hole);

/*
 * The same for a check, which what the disk cannot give (EIO) does not end: MISSING, one
 * element per data block, tells the blocks that are zeros because of that.
 */
int merkle_part_salvage(struct merkle_part *m, uint64_t piece, uint8_t *buffer,
	bool *hole, bool *missing);

/* Lets all waiting threads go on to their end. */
void merkle_part_stop(struct merkle_part *m);

/* -EIO if the data file was written to since merkle_part_init; not if TREE is that file.
 */
int merkle_part_unchanged(const struct merkle_part *m, const struct file *tree);

#endif
