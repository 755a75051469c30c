/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_CONVERT_H
#define CAIRN_BLOBFS_CONVERT_H

#include "blobfs/objects.h"
#include "blobfs/store.h"

/*
 * Between an image and a directory store, refs included. A blob that is not what its name
 * says stops it (STATUS_CONTENT); nothing has changed on the other side then.
 */

/* Adds all blobs of O to S, which is ready for changes; the caller commits. */
int blobfs_from_objects(struct blobfs_store *s, const struct objects *o, unsigned jobs);

/* Adds all blobs of S, in its committed state, to O. */
int blobfs_to_objects(struct blobfs_store *s, const struct objects *o);

#endif
