/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_ROOT_H
#define CAIRN_INITRD_ROOT_H

#include "initrd/base.h"

/* Where the real root is put together, in the initramfs. */
#define ROOT_PATH "/sysroot"

/*
 * Mounts the verified device read-only, with the policy's file system type, and puts it
 * together as ROOT_PATH: as it is, below a volatile overlay, or as /usr in a tmpfs.
 * Returns a descriptor of the real init in it, a regular file of the verified device (or
 * of the overlay), ready for execveat, or a negative errno.
 */
int root_make(const struct base *base, const struct policy *policy);

/*
 * Leaves the initramfs for ROOT_PATH: moves /dev, /proc, /sys and /run there, deletes
 * what the initramfs holds, and makes it the root directory.
 */
int root_enter(void);

/* Deletes what is below DIRFD and on the same file system. DIRFD is consumed. */
int root_delete(int dirfd);

#endif
