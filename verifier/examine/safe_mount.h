/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_SAFE_MOUNT_H
#define CAIRN_VERIFIER_EXAMINE_SAFE_MOUNT_H

#include <stdbool.h>

#include "core/buffer.h"

/*
 * Mounting a file system so that it neither replays, repairs nor marks anything. Mounts
 * are made detached: they are in no name space, and gone with their descriptor.
 */

/* -EPERM, STATUS_FAILED, if this process may not mount anything. */
int safe_mount_check_privileges(void);

/* Whether there is a safe way to mount TYPE, a name as blkid gives it. */
bool safe_mount_knows(const char *type);

/*
 * Mounts DEVICE and returns the mount's descriptor, or a negative errno: STATUS_FORMAT
 * if the kernel refuses what is on the device, STATUS_FAILED if it does not know the file
 * system. REPLAY mounts with recovery, for copies; JOURNAL (NULL: none) is then the
 * device with the external journal. OPTIONS gets the options that were used.
 */
int safe_mount(const char *type, const char *device, bool replay, const char *journal,
	struct buffer *options);

/* Sets the flags of the mount itself: MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV... */
int safe_mount_restrict(int mount, uint64_t attributes);

/*
 * Tries to write by all ways there are: the device itself, a file, FITRIM, and making the
 * file system writable again. What succeeded, in words, is appended to HOLES.
 */
int safe_mount_try_writes(int mount, const char *device, struct buffer *holes);

#endif
