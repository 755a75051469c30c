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
	size_t n_bytes;     /* of path, target and attributes */
	uint8_t digest[32]; /* SHA-256 of a regular file's bytes, if has_digest */
	bool has_digest;
};

/*
 * Bytes of a regular file, and where in the file system they come from. Two pieces with
 * the same `how`, length and stored bytes are the same bytes of their files.
 */
struct files_piece {
	uint64_t offset, length; /* in the file, bytes */
	uint64_t place;          /* in the file system, bytes; FILES_HOLE: zeros */
	uint64_t stored;         /* bytes there; LENGTH if they are plain */
	bool plain;              /* the stored bytes are those of the file */
	uint64_t how;            /* else: how the stored bytes are made into them */
};

#define FILES_HOLE UINT64_MAX

struct files_reader; /* how contents are read; NULL where there is no more to read */

struct files {
	struct files_entry *items; /* owned; sorted by path, byte by byte */
	size_t n_items, capacity;
	size_t n_bytes;              /* those of all entries but the last */
	uint64_t n_read;             /* bytes of files that were read for their digests */
	struct files_reader *reader; /* owned */
	const char *name;            /* of what they are in, for messages; may be NULL */
};

#define FILES_MAX       ((size_t)1 << 24) /* entries; more are refused */
#define FILES_MAX_BYTES ((size_t)1 << 28) /* of all paths, targets and attributes */
#define FILES_MAX_XATTR ((size_t)1 << 20) /* bytes of attributes of one file */

#define AUTO_FILES __attribute__((cleanup(files_free))) struct files

/*
 * Lists the file system of SIZE bytes at OFFSET of F, which must stay open. LIST must be
 * zeroed, and freed also after a failure. STATUS_FORMAT for a file system that is not
 * known, or of which not all can be read: half a list would be a lie.
 */
int files_load(struct files *list, const struct file *f, uint64_t offset, uint64_t size);
void files_free(struct files *list);

/*
 * Reads the regular file ITEM of LIST and sets its digest, if it has none yet. All files
 * that are read together may have 4096 times the bytes of the file system, or of 64 KiB;
 * more is STATUS_FORMAT.
 */
int files_digest(struct files *list, struct files_entry *item);

/*
 * Calls TAKE for the pieces of the regular file ITEM, in order. Returns 0; 1 if where its
 * bytes are cannot be told so; or what TAKE returned other than 0.
 */
int files_pieces(const struct files *list, const struct files_entry *item,
	int (*take)(void *context, const struct files_piece *piece), void *context);

/* The entry at PATH, or NULL. */
struct files_entry *files_find(const struct files *list, const char *path);

/* For those that fill one: a new entry, zeroed but for PATH, which is copied. */
int files_add(struct files *list, struct span path, struct files_entry **entry);
int files_add_xattr(struct files_entry *entry, const char *name, struct span value);
/* To be called when all are there. */
void files_sort(struct files *list);

#endif
