/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_COMPACT_H
#define CAIRN_BLOBFS_COMPACT_H

#include "blobfs/gc.h"

/*
 * As blobfs_gc, and then all blobs lie together at the beginning, in the order they had;
 * a file that grows is cut to that. Every step is a change of its own after which the
 * image is whole, so a crash costs only space. All blobs are copied to the end and back,
 * for which there must be room: -ENOSPC if not. -EBUSY, STATUS_FAILED, if somebody reads
 * the image: what was freed cannot be used then. A damaged blob stops it.
 */
int blobfs_compact(struct blobfs_gc *gc, struct blobfs_store *s);

#endif
