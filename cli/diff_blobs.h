/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_DIFF_BLOBS_H
#define CAIRN_CLI_DIFF_BLOBS_H

#include "verifier/files.h"
#include "verifier/store_list.h"

/*
 * A directory of blobs or a blobfs image as a list of files, by digest: below "/NAME" the
 * files of the tree that the ref NAME leads to, else the blob itself there, and below
 * "/objects" the blobs that no ref reaches. Digests are those of fs-verity.
 */
struct diff_blobs {
	const char *name;  /* not owned */
	bool claims;       /* blobs are not read to see if they are what they are named */
	bool is_directory; /* else an image */
	struct store_list list; /* of a directory */
	struct file *trees;     /* owned: of its refs, the blobs, closed if no trees */
	uint8_t *digests; /* owned: of all blobs, OBJECTS_DIGEST bytes each, sorted */
	uint64_t *sizes;  /* owned: and their sizes */
	bool *reached;    /* owned: and whether a ref does */
	size_t n_digests;
	uint64_t n_bytes; /* of blobs that were read */
};

#define AUTO_DIFF_BLOBS __attribute__((cleanup(diff_blobs_close))) struct diff_blobs
void diff_blobs_close(struct diff_blobs *b);

/* Opens the directory PATH, and all in it that has to be looked at later. */
int diff_blobs_open(struct diff_blobs *b, const char *path, bool claims);

/* Lists what was opened, or the image F, into FILES. STATUS_CONTENT for a bad blob. */
int diff_blobs_load(struct diff_blobs *b, const struct file *f, struct files *files);

#endif
