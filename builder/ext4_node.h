/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_EXT4_NODE_H
#define CAIRN_BUILDER_EXT4_NODE_H

#include <ext2fs/ext2fs.h>

#include "builder/filesystem_make.h"

/* An ext4 file system that is being filled. */
struct ext4 {
	ext2_filsys fs;
	const struct filesystem_job *job;
	ext2_ino_t *inodes; /* by the index of the file's first name; 0: not yet made */
};

/* Records what libext2fs returned; PATH is the entry's, or NULL. */
int ext4_failed(const struct ext4 *x, errcode_t err, const char *path, const char *what);

/* Creates E, which is not the root, as NAME in the directory PARENT. */
int ext4_make_node(struct ext4 *x, const struct tree_entry *e, ext2_ino_t parent,
	const char *name, ext2_ino_t *inode);

/* Gives an inode the attributes of E: owner, mode, times, extended attributes. */
int ext4_set_attributes(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode);

/* One more name for an inode that has at least one. */
int ext4_add_name(struct ext4 *x, const struct tree_entry *e, ext2_ino_t parent,
	const char *name, ext2_ino_t inode);

#endif
