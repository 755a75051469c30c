/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PATH_H
#define CAIRN_CORE_PATH_H

#include <sys/stat.h>
#include <sys/types.h>

/* Names in the file system, without the races that come with using them twice. */

/* "a directory", "a FIFO", ...: for messages. */
const char *path_kind(mode_t mode);

/* The last component of PATH; points into it. */
const char *path_base(const char *path);

/*
 * Opens the directory PATH lies in and points BASE at the last component. Returns the
 * descriptor, which the caller closes, or a negative errno.
 */
int path_open_parent(const char *path, const char **base);

/* Opens a directory. Returns the descriptor or a negative errno. */
int path_open_dir(const char *path);

/*
 * Creates the directory NAME below DIRFD and opens exactly that one: it is made under a
 * random name, opened, and only then renamed. Returns the descriptor, or -EEXIST (which
 * the caller may expect) or another negative errno.
 */
int path_make_dir(int dirfd, const char *name, mode_t mode);

/* Creates PATH and what is missing above it, as mkdir -p does. */
int path_make_dirs(const char *path, mode_t mode);

/*
 * Unlinks NAME below DIRFD only if it is the file FD is open on: it is renamed to a
 * random name, looked at, and unlinked or put back. -ESTALE if it is another file.
 */
int path_unlink_same(int dirfd, const char *name, int fd);

/* Creates a file below DIRFD and unlinks it at once. Returns the descriptor or -1. */
int path_unlinked_file(int dirfd);

#define PATH_RANDOM_SIZE 24

/* A name nobody else has: ".cairn-" and random letters. */
int path_random(char name[PATH_RANDOM_SIZE]);

/*
 * Renames, but replaces nothing: 0, or -1 with errno, EEXIST if there is something. Where
 * the file system has no such operation, a file is linked and unlinked, and for what
 * cannot be linked (a directory) somebody else's may be replaced if it appears just then.
 */
int path_rename_new(int from_dirfd, const char *from, int to_dirfd, const char *to);

/* Exchanges two names of DIRFD in one step: 0, or -1 with errno, EINVAL if it cannot. */
int path_exchange(int dirfd, const char *a, const char *b);

#endif
