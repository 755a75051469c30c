/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_DIGESTS_H
#define CAIRN_CORE_DIGESTS_H

#include "core/fsverity.h"

/* fs-verity digests of many files, in parallel. */
struct digest_file {
	char *path; /* owned */
	uint8_t digest[HASH_MAX_SIZE];
	int result;                 /* 0, or a negative errno: then there is no digest */
	struct error_record *error; /* owned; of that failure */
};

struct digest_list {
	struct digest_file *files; /* owned */
	size_t n_files;
	size_t capacity;
};

#define AUTO_DIGEST_LIST __attribute__((cleanup(digest_list_free))) struct digest_list

void digest_list_free(struct digest_list *list);

/* Adds a path, which is copied. */
int digest_list_add(struct digest_list *list, const char *path);

/*
 * Adds the regular files below the directory PATH, in the order of their names' bytes;
 * symbolic links are not followed, and a PATH that is no directory is added itself.
 */
int digest_list_walk(struct digest_list *list, const char *path);

/*
 * Computes all digests on JOBS threads (0: one per processor). A file that cannot be read
 * is told in its `result`; the return value is about everything else.
 */
int digest_list_run(
	struct digest_list *list, const struct fsverity_params *p, unsigned jobs);

#endif
