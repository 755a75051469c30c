/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_FUSE_FILE_H
#define CAIRN_VERIFIER_EXAMINE_FUSE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A FUSE file system whose root is one regular file, in no name space: a file whose bytes
 * a process of ours gives.
 */

/* Mounts it for DEVICE, an open /dev/fuse. Returns the mount's descriptor. */
int fuse_file_mount(int device, bool writable);

/* Opens the file, closing MOUNT; somebody must serve by then. Returns its descriptor. */
int fuse_file_open(int mount, bool writable);

/*
 * In the process that is to serve: it dies with PARENT, heeds no terminal, and has
 * nothing open but the N descriptors KEEP (sorted here) and the standard ones. False if
 * PARENT is gone already.
 */
bool fuse_file_serve_only(int parent, const char *name, int *keep, size_t n);

#endif
