/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_FUSE_FILE_H
#define CAIRN_VERIFIER_EXAMINE_FUSE_FILE_H

#include <stdbool.h>

/*
 * A FUSE file system whose root is one regular file, in no name space: a file whose bytes
 * a process of ours gives.
 */

/* Mounts it for DEVICE, an open /dev/fuse. Returns the mount's descriptor. */
int fuse_file_mount(int device, bool writable);

/* Opens the file, closing MOUNT; somebody must serve by then. Returns its descriptor. */
int fuse_file_open(int mount, bool writable);

#endif
