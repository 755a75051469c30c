/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MOUNTS_H
#define CAIRN_COMPOSE_MOUNTS_H

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

#endif
