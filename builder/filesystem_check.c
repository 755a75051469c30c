/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "builder/filesystem_make.h"
#include "builder/tree_build.h"

/* What a type of file system can hold. */
struct limits {
	int64_t first_time, last_time;
	uint64_t file_size;
	uint32_t n_names;
	bool expands_holes; /* its tool is given every byte of a hole */
};

static const struct limits limits[] = {
	/* 64-bit times; 32-bit link count (erofs_fs.h, extended inode). */
	[FILESYSTEM_EROFS] = {INT64_MIN, INT64_MAX, INT64_MAX, UINT32_MAX, true},
	/* 32-bit unsigned times (squashfs_fs.h). */
	[FILESYSTEM_SQUASHFS] = {0, UINT32_MAX, INT64_MAX, UINT32_MAX, true},
	/* 34-bit times from 1901; 2^32 blocks; EXT4_LINK_MAX (ext4.h). */
	[FILESYSTEM_EXT4] = {INT32_MIN, INT64_C(0x37fffffff), UINT64_C(1) << 44, 65000,
		false},
};

/* A sparse file may claim any size; what is to be written out must end some day. */
#define MAX_TOTAL (UINT64_C(1) << 40)

static const char *problem(const struct limits *l, const struct tree_entry *e)
{
	if (e->mtime < l->first_time || e->mtime > l->last_time)
		return "its modification time is out of the range of";
	if (S_ISREG(e->mode) && e->size > l->file_size)
		return "is larger than a file may be in";
	if (e->n_names > l->n_names)
		return "has more names than a file may have in";
	return NULL;
}

int filesystem_check(const struct filesystem_job *job)
{
	const struct limits *l = &limits[job->options->type];
	const char *type = filesystem_name(job->options->type);
	const struct tree *tree = job->tree;
	size_t end = tree_end(tree, job->root);
	char quoted[TREE_QUOTE_SIZE];
	uint64_t total = 0;
	for (size_t i = (size_t)(job->root - tree->entries); i < end; i++) {
		const struct tree_entry *e = &tree->entries[i];
		const char *why = problem(l, e);
		if (why)
			return error_format("%s: %s: %s %s", tree->name,
				tree_quote(e->path, quoted), why, type);
		if (S_ISREG(e->mode) && e->first_name == i &&
			(u64_add(total, e->size, &total) ||
				(l->expands_holes && total > MAX_TOTAL)))
			return error_format(
				"%s: %s: brings the files to more than 1 TiB, "
				"holes included: too much for %s",
				tree->name, tree_quote(e->path, quoted), type);
	}
	return 0;
}
