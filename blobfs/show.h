/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_SHOW_H
#define CAIRN_BLOBFS_SHOW_H

#include "blobfs/refs.h"

/* What several programs print of an image on standard output, as lines or as JSON. */

/* All blobs: digest and size; with PLACES also where data, tree and tail are. */
int blobfs_show_blobs(struct blobfs_store *s, bool places, bool as_json);

/* All refs: digest and name. */
int blobfs_show_refs(struct blobfs_store *s, bool as_json);

#endif
