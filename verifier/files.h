/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_FILES_H
#define CAIRN_VERIFIER_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/file.h"
#include "core/span.h"

/*
 * The files inside an erofs, squashfs or ext2 to ext4 file system, as they are there:
 * nothing is mounted, and the file system may be hostile. Also filled from elsewhere (a
 * directory, an archive), to be compared.
 */
struct files_xattr {
	char *name;     /* owned; whole: "security.capability" */
	uint8_t *value; /* owned; NULL if empty */
	size_t size;
};

struct files_entry {
	char *path;       /* owned; from "/" on, "/" the root; any bytes but NUL */
	size_t path_size; /* bytes of it */
	uint64_t inode;   /* as the file system counts; hard links have the same */
	uint64_t handle;  /* how the file system's reader finds it again */
	mode_t mode;      /* type and permission bits */
	uint32_t uid, gid, n_links;
	uint64_t size; /* regular files: bytes */
	int64_t mtime; /* seconds since 1970 */
	uint32_t mtime_ns;
	uint32_t major, minor;      /* device nodes */
	char *target;               /* owned; symbolic links, else NULL */
	struct files_xattr *xattrs; /* owned; sorted by name */
	size_t n_xattrs;
	uint8_t digest[32]; /* SHA-256 of a regular file's bytes, if has_digest */
	bool has_digest;
};

struct files_reader; /* how contents are read; NULL where there is no more to read */

struct files {
	struct files_entry *items; /* owned; sorted by path, byte by byte */
	size_t n_items, capacity;
	struct files_reader *reader; /* owned */
};

#define FILES_MAX ((size_t)1 << 24) /* entries; more are refused */

#define AUTO_FILES __attribute__((cleanup(files_free))) struct files

/*
 * Lists the file system of SIZE bytes at OFFSET of F, which must stay open. LIST must be
 * zeroed, and freed also after a failure. STATUS_FORMAT for a file system that is not
 * known, or of which not all can be read: half a list would be a lie.
 */
int files_load(struct files *list, const struct file *f, uint64_t offset, uint64_t size);
void files_free(struct files *list);

/* Reads the regular file ITEM of LIST and sets its digest, if it has none yet. */
int files_digest(struct files *list, struct files_entry *item);

/* The entry at PATH, or NULL. */
struct files_entry *files_find(const struct files *list, const char *path);

/* For those that fill one: a new entry, zeroed but for PATH, which is copied. */
int files_add(struct files *list, struct span path, struct files_entry **entry);
int files_add_xattr(struct files_entry *entry, const char *name, struct span value);
/* To be called when all are there. */
void files_sort(struct files *list);

#endif
