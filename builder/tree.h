/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_TREE_H
#define CAIRN_BUILDER_TREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/file.h"

/*
 * A tree of files as it goes into an image, whatever it was read from: a directory or a
 * tar archive (of any compression libarchive knows). The same tree read from either is
 * the same model. Names and link targets are bytes; nothing of the host (its user
 * names, locale, umask) is in it.
 *
 * File contents stay where they are: in the directory (a file that changed since it was
 * listed is refused when it is read), or, of an archive, in an anonymous scratch file.
 */

/* An extended attribute; the name with its namespace ("security.capability"). */
struct tree_xattr {
	char *name;
	uint8_t *value; /* NULL if empty */
	size_t size;
};

/* A part of a regular file that holds data; what lies between extents is a hole. */
struct tree_extent {
	uint64_t offset; /* in the file, bytes */
	uint64_t size;
	uint64_t stored; /* where the archive's scratch file has it; else unused */
};

struct tree_entry {
	char *path;  /* relative, no slash at either end; "" is the root directory */
	mode_t mode; /* type and permission bits */
	uid_t uid;
	gid_t gid;
	int64_t mtime; /* seconds since 1970, may be negative */
	uint32_t mtime_ns;
	uint64_t size;  /* regular files: bytes; symbolic links: length of the target */
	char *target;   /* symbolic links only, else NULL */
	uint32_t major; /* device nodes only */
	uint32_t minor;
	/*
	 * Hard links: the index of the entry, first in order, that is the same file. The
	 * entry's own index if it is the only or first name. All names carry the same
	 * attributes; only the first has extents.
	 */
	size_t first_name;
	size_t parent;    /* index of the directory it lies in; of the root: 0 */
	uint32_t n_names; /* how many names the file has in the tree, at least 1 */
	struct tree_xattr *xattrs; /* by name */
	size_t n_xattrs;
	struct tree_extent *extents; /* in order, not touching */
	size_t n_extents;
	uint8_t *contents; /* of a file that tree_add_file added, else NULL; owned */
	/* Where it was read from, to notice a change; zero for archives. */
	struct {
		dev_t device;
		ino_t inode;
		struct timespec ctime;
	} origin;
};

struct tree {
	/*
	 * Sorted by path, byte by byte with '/' lowest, so that a directory is directly
	 * followed by all that is below it. entries[0] is the root directory.
	 */
	struct tree_entry *entries;
	size_t n_entries;
	char *name;        /* as given to tree_load; for messages */
	int dirfd;         /* the directory; -1 for an archive */
	struct file spool; /* contents of an archive's files */
};

#define TREE_EMPTY ((struct tree){.dirfd = -1, .spool = FILE_CLOSED})
#define AUTO_TREE  __attribute__((cleanup(tree_free))) struct tree

/*
 * Reads the directory or archive PATH. SCRATCH is a path in whose directory the contents
 * of an archive may be kept in an unnamed file (NULL: TMPDIR or /var/tmp).
 *
 * Refused with STATUS_FORMAT, naming the entry: sockets; in an archive also absolute
 * names, "..", hard links to what did not come before, a name that comes twice (a
 * directory may come again, the later attributes count), a file used as a directory,
 * damage. A directory that an archive implies but lacks is 0755 root:root, mtime 0; a
 * missing root directory too. A tree without any entry below its root is refused.
 */
int tree_load(struct tree *tree, const char *path, const char *scratch);

/* May be called twice and on TREE_EMPTY. */
void tree_free(struct tree *tree);

/*
 * Adds the regular file PATH, which is not there yet, with a copy of CONTENTS, and the
 * directories above it that are missing: root's, modes 0644 and 0755, MTIME seconds.
 * Pointers to entries are invalid afterwards. STATUS_FORMAT if something above it is no
 * directory.
 */
int tree_add_file(
	struct tree *tree, const char *path, int64_t mtime, struct span contents);

/*
 * The time that stands for the tree's own, seconds: SOURCE_DATE_EPOCH, or else the newest
 * mtime in it; never the time of day. STATUS_USAGE if the variable is no number.
 */
int tree_date(const struct tree *tree, int64_t *date);

/* The entry at PATH itself (slashes at its start are ignored), or NULL. */
const struct tree_entry *tree_find(const struct tree *tree, const char *path);

/*
 * As tree_find, following symbolic links inside the tree as if it were the root file
 * system. NULL also for loops.
 */
const struct tree_entry *tree_resolve(const struct tree *tree, const char *path);

/* The index one past the last entry that is at or below ENTRY. */
size_t tree_end(const struct tree *tree, const struct tree_entry *entry);

/* The last component of an entry's path; points into it. */
const char *tree_base(const struct tree_entry *entry);

/* The whole content of a regular file of at most LIMIT bytes is appended to B. */
int tree_read(const struct tree *tree, const struct tree_entry *entry, size_t limit,
	struct buffer *b);

/*
 * Gives the content of a regular file to SINK in order, in pieces of at most 1 MiB.
 * Holes are skipped: SINK learns the OFFSET of each piece. What SINK returns below 0 ends
 * it.
 */
int tree_stream(const struct tree *tree, const struct tree_entry *entry,
	int (*sink)(void *context, struct span data, uint64_t offset), void *context);

#endif
