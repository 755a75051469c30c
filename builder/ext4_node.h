/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_EXT4_NODE_H
#define CAIRN_BUILDER_EXT4_NODE_H

#include <ext2fs/ext2fs.h>

#include "builder/filesystem_make.h"

/* An ext4 file system that is being filled. */
struct ext4 {
	ext2_filsys fs;
	const struct filesystem_job *job;
	/* By the index of a file's first name: its inode, and its names in this part. */
	ext2_ino_t *inodes;
	uint32_t *n_names;
};

/* Records what libext2fs returned; PATH is the entry's, or NULL. */
int ext4_failed(const struct ext4 *x, errcode_t err, const char *path, const char *what);

/*
 * Makes entry INDEX at the inode that was chosen for it, with content and attributes. A
 * directory's names are written with it: all inodes must have been chosen before.
 */
int ext4_make_node(struct ext4 *x, size_t index);

/* The blocks of directory INDEX, whose inode exists, and its size. */
int ext4_write_directory(struct ext4 *x, size_t index);

/* The inode of entry INDEX. */
ext2_ino_t ext4_inode(const struct ext4 *x, size_t index);

#endif
