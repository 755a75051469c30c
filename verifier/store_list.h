/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_STORE_LIST_H
#define CAIRN_VERIFIER_STORE_LIST_H

#include "blobfs/objects.h"

/*
 * What is in a directory of blobs (blobfs/objects.h), by name alone: nothing of a blob
 * is read. What has a name that it may not have is listed too, not refused.
 */
struct store_ref {
	char *name; /* owned */
	uint8_t digest[OBJECTS_DIGEST];
	char *fault; /* owned; why it has no digest, or NULL */
};

struct store_list {
	struct buffer digests; /* of all blobs, OBJECTS_DIGEST bytes each, sorted */
	size_t n_blobs;
	char **strays; /* owned: names in objects/ that are not those of blobs */
	size_t n_strays;
	struct store_ref *refs; /* owned */
	size_t n_refs;
};

#define AUTO_STORE_LIST __attribute__((cleanup(store_list_free))) struct store_list

/* LIST must be zeroed, and freed also after a failure. */
int store_list_read(struct store_list *list, const struct objects *o);
void store_list_free(struct store_list *list);

/* The digest of blob NUMBER. */
const uint8_t *store_list_digest(const struct store_list *list, size_t number);

/* The number of the blob DIGEST, or n_blobs if it is not there. */
size_t store_list_find(const struct store_list *list, const uint8_t *digest);

#endif
