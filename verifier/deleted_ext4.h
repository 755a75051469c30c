/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DELETED_EXT4_H
#define CAIRN_VERIFIER_DELETED_EXT4_H

#include <sys/stat.h>

#include "core/file.h"

/*
 * What an ext2, 3 or 4 still tells of files that were deleted: their inodes, until these
 * are used again, and names in the slack of directory blocks. For a confined process
 * (core/confine.h): all of it is hostile.
 */

/* How many are given; the others are counted. */
#define DELETED_MAX 1000000

struct deleted_file {
	struct statx state; /* as the inode says; STATX_BTIME in its mask if it has one */
	int64_t dtime;      /* seconds since 1970; 0: it does not say */
	struct span path;   /* without a first slash; empty: no name leads to it */
};

struct deleted_search {
	int (*take)(void *context, const struct deleted_file *file);
	void *context;
	/* Results: */
	uint64_t n_files;  /* deleted; more than DELETED_MAX were not all given */
	uint64_t n_unread; /* inodes and directories that could not be read */
};

/*
 * Gives every deleted file of the file system of SIZE bytes at OFFSET of F to S->take, by
 * inode number. An inode that is marked as used is none: it may be open, or waits for
 * recovery. STATUS_FORMAT if the file system cannot be searched.
 */
int deleted_ext4(
	struct deleted_search *s, const struct file *f, uint64_t offset, uint64_t size);

#endif
