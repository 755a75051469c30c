/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_EXT4_SIZE_H
#define CAIRN_BUILDER_EXT4_SIZE_H

#include "builder/filesystem_make.h"

#define EXT4_BLOCK            4096
#define EXT4_INODE_SIZE       256
#define EXT4_BLOCKS_PER_GROUP 32768
#define EXT4_RESERVED_INODES  10

/*
 * How large the file system must be for the job's tree: a little more than it takes,
 * the same for every copy of the tree.
 */
struct ext4_size {
	uint64_t blocks;
	uint64_t inodes;
};

int ext4_size(const struct filesystem_job *job, struct ext4_size *size);

#endif
