/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_ENTRY_H
#define CAIRN_COMPOSE_ENTRY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "core/buffer.h"

/* One name in a layer: its attributes, and a handle through which all is read. */
struct entry {
	int fd; /* O_PATH; owned */
	struct stat st;
	struct buffer xattrs; /* "NAME\0SIZE VALUE" each, in the order of the names */
};

#define ENTRY_NONE ((struct entry){.fd = -1})
#define AUTO_ENTRY __attribute__((cleanup(entry_close))) struct entry

/*
 * Opens NAME below the directory DIRFD, without following a link. Returns 0, or 1 if
 * there is no such name. PATH is for messages.
 */
int entry_open(struct entry *e, int dirfd, const char *name, const char *path);

/* Closes; may be called twice. */
void entry_close(struct entry *e);

/* Reads the extended attributes into E->xattrs. */
int entry_read_xattrs(struct entry *e, const char *path);

/* Whether there is an attribute whose name starts with PREFIX. */
bool entry_has_xattr(const struct entry *e, const char *prefix);

/*
 * Compares type, mode, owner, device number, extended attributes (already read in both)
 * and, but for directories, size and contents. Returns 0 if all are equal, 1 if not.
 */
int entry_compare(const struct entry *a, const struct entry *b, const char *path);

#endif
