/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_FILESYSTEM_MAKE_H
#define CAIRN_BUILDER_FILESYSTEM_MAKE_H

#include "builder/filesystem.h"

/* What filesystem.c and the makers of the single types share; for nobody else. */

struct filesystem_job {
	const struct tree *tree;
	const struct tree_entry *root; /* of the part that is made into an image */
	const struct filesystem_options *options;
	char method[16]; /* compression, without its level */
	int level;       /* -1: the method's default */
	struct file *out;
	struct filesystem_info *info;
};

int filesystem_make_erofs(const struct filesystem_job *job);
int filesystem_make_squashfs(const struct filesystem_job *job);
int filesystem_make_ext4(const struct filesystem_job *job);

/*
 * Runs ARGV with the tar stream of the job's tree on its standard input. SETENV as in
 * core/process.h. The job's out is passed on under its own number.
 */
int filesystem_feed(const struct filesystem_job *job, const char *const *argv,
	const char *const *setenv);

/* The first line PROGRAM prints when run with OPTION: its version. */
int filesystem_tool_version(const char *program, const char *option, struct buffer *line);

/* Refuses, naming the entry, what the type of the job cannot store. */
int filesystem_check(const struct filesystem_job *job);

#endif
