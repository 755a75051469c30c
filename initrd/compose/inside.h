/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_INSIDE_H
#define CAIRN_COMPOSE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/buffer.h"

/*
 * Opens PATH (absolute or relative) below the directory DIRFD, as if that were the root
 * directory: neither ".." nor a link leads out. FLAGS as for open(2). Returns the
 * descriptor or a negative errno, which may be expected and is NOT recorded.
 */
int inside_open(int dirfd, const char *path, int flags);

/* A regular file there of at most LIMIT bytes is appended to B; recorded. */
int inside_slurp(int dirfd, const char *path, size_t limit, struct buffer *b);

/* Opens again, with FLAGS, what the O_PATH descriptor HANDLE stands for. Not recorded. */
int inside_reopen(int handle, int flags);

#endif
