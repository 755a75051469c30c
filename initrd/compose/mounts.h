/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MOUNTS_H
#define CAIRN_COMPOSE_MOUNTS_H

#include <stdbool.h>

#include "core/error.h"

/*
 * Mounts by descriptor: made detached, and attached only when they are what they should
 * be. Every function records why it failed, with what the file system itself said.
 */

enum mount_attributes {
	MOUNT_RO = 1,
	MOUNT_NOSUID = 2,
	MOUNT_NODEV = 4,
	MOUNT_NOEXEC = 8,
};

/*
 * A new detached mount of a file system of TYPE: never guessed. OPTIONS are "key=value",
 * and "key" for flags, and end with NULL (may be NULL itself). Returns its descriptor.
 */
int mount_make(const char *type, const char *source, const char *const *options,
	unsigned attributes);

/* Attaches the mount FD at PATH; FD stays open. */
int mount_attach(int fd, const char *path);

/* The two steps in one, at a directory that is made if it is not there. */
int mount_at(const char *type, const char *path, const char *const *options,
	unsigned attributes);

/* Moves the mount at FROM to the directory TO. */
int mount_move(const char *from, const char *to);

/* Detaches what is mounted at PATH; who uses it keeps it. */
int mount_detach(const char *path);

/*
 * A detached copy of the mount that PATH (below the directory DIRFD; "" is DIRFD itself)
 * is in, from PATH on; with the mounts below it if RECURSIVE. Returns its descriptor.
 */
int mount_clone(int dirfd, const char *path, bool recursive);

/* Attaches the mount FD at the directory or file that TARGET is open on. */
int mount_attach_to(int fd, int target);

/*
 * Attaches the mount FD beneath the mount at PATH, which goes on hiding it. -EINVAL,
 * which the caller may expect, if the kernel (before 6.5) cannot do that.
 */
int mount_beneath(int fd, const char *path);

#endif
