/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_VERITY_FORMAT_H
#define CAIRN_CORE_VERITY_FORMAT_H

#include "core/verity.h"

/*
 * `cairn verity format` as a function: data in one file or device, hash area (and parity)
 * in others or in the same one. A new file appears when it is complete. An existing file
 * (one that is a device, or the data's own, or was given an offset) is written to only
 * after all hashing succeeded; what lies outside of the areas is left as it was.
 */
struct verity_format {
	/* in */
	const char *data_path;
	const char *hash_path;
	uint64_t hash_offset; /* of the superblock, or of the tree if there is none */
	bool in_place;        /* a hash_path that exists keeps what it has elsewhere */
	bool replace;         /* a hash_path that exists may be replaced */
	bool superblock;
	bool data_blocks_given; /* else params.data_blocks is what the data file has */
	bool uuid_given;        /* else it is derived from the root hash */
	const char *fec_path;   /* NULL: no parity */
	uint64_t fec_offset;
	unsigned fec_roots;
	unsigned jobs;
	/* in and out */
	struct verity_params params;
	/* out */
	uint8_t root[HASH_MAX_SIZE];
	uint64_t tree_offset; /* in hash_path */
	uint64_t tree_size;
	uint64_t fec_size; /* of the parity, bytes */
};

/*
 * Fails with nothing written, or nothing that would be taken for a hash area. Hash area
 * and parity, where they are new files, appear one after the other.
 */
int verity_format(struct verity_format *f);

/* Sets data_blocks from the size of DATA, which must be a whole number of blocks. */
int verity_cover_all(const struct file *data, struct verity_params *p);

/* Whether both are one file, or one device. */
bool file_is_same(const struct file *a, const struct file *b);

#endif
