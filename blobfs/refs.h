/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_REFS_H
#define CAIRN_BLOBFS_REFS_H

#include "blobfs/add.h"

/* The names that an image gives to digests: a hint, never trust. Zeroed: no refs. */
struct blobfs_ref {
	char name[BLOBFS_REF_NAME_MAX + 1];
	uint8_t digest[BLOBFS_DIGEST_SIZE];
};

struct blobfs_refs {
	struct blobfs_ref *refs; /* sorted by name */
	size_t n_refs;
};

#define AUTO_BLOBFS_REFS __attribute__((cleanup(blobfs_refs_free))) struct blobfs_refs

void blobfs_refs_free(struct blobfs_refs *r);

/* Whether NAME may be a ref's name; what the characters are: docs/blobfs-format.md. */
bool blobfs_ref_name_valid(const char *name, size_t size);

/* Takes a refs blob apart; anything but what blobfs_refs_write makes is refused. */
int blobfs_refs_parse(struct blobfs_refs *r, struct span blob, const char *image);
int blobfs_refs_write(const struct blobfs_refs *r, struct buffer *blob);

/* The refs of the last committed state. */
int blobfs_refs_load(struct blobfs_refs *r, struct blobfs_store *s);

/* Makes R the refs of the next commit. */
int blobfs_refs_store(const struct blobfs_refs *r, struct blobfs_store *s);

/* NULL if there is none of that name. Valid until the refs change. */
const struct blobfs_ref *blobfs_refs_find(const struct blobfs_refs *r, const char *name);

/* Adds or changes; STATUS_USAGE for a name that is not valid. */
int blobfs_refs_set(struct blobfs_refs *r, const char *name,
	const uint8_t digest[BLOBFS_DIGEST_SIZE]);

/* -ENOENT, STATUS_FAILED if there is none of that name. */
int blobfs_refs_delete(struct blobfs_refs *r, const char *name);

#endif
