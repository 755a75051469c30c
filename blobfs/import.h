/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_IMPORT_H
#define CAIRN_BLOBFS_IMPORT_H

#include "blobfs/add.h"

/*
 * Adds the contents of files. Directories are walked in the order of their names, below
 * open descriptors and without following symbolic links; what is neither directory nor
 * regular file has no content and is passed over.
 */
struct blobfs_import {
	struct blobfs_store *store;
	unsigned jobs;                          /* 0: one per processor */
	const struct blobfs_add_result *result; /* or NULL */
	struct blobfs_found *found;             /* not yet opened */
	struct file *files;                     /* opened, not yet added */
	size_t n_files;
};

int blobfs_import_start(struct blobfs_import *i, struct blobfs_store *store,
	unsigned jobs, const struct blobfs_add_result *result);
int blobfs_import_file(struct blobfs_import *i, const char *path);
int blobfs_import_dir(struct blobfs_import *i, const char *path);

/* Adds what is still open. */
int blobfs_import_finish(struct blobfs_import *i);

/* May be called twice and on a zeroed struct. */
void blobfs_import_stop(struct blobfs_import *i);

#endif
