/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_LOCATE_H
#define CAIRN_VERIFIER_LOCATE_H

#include "core/file.h"
#include "core/json.h"
#include "core/ranges.h"

/*
 * What bytes of a file system are for: which file they belong to and where in it, which
 * structure of the file system, or nothing. The file system is read, never mounted, and
 * may be hostile or damaged: what cannot be read is told, and the rest nevertheless.
 */

enum located_kind {
	LOCATED_DATA,       /* contents of a file */
	LOCATED_DIRECTORY,  /* entries of a directory */
	LOCATED_SYMLINK,    /* target of a symbolic link */
	LOCATED_ATTRIBUTES, /* extended attributes of a file */
	LOCATED_INODE,      /* of a file: type, owner, mode, times, often the start of its
			       map */
	LOCATED_MAP,        /* where the contents of a file are */
	LOCATED_BLOB,       /* blobfs: content by digest */
	LOCATED_META,       /* of the file system as a whole; `what` says */
	LOCATED_UNUSED,     /* nothing is there */
	LOCATED_UNKNOWN,    /* not found, but not all of the file system could be read */
};

/* "data", "directory"...: the word of docs/verify-json.md. */
const char *located_kind_name(enum located_kind kind);

struct located {
	enum located_kind kind;
	uint64_t offset, size; /* in the file system, bytes */
	uint64_t inode;        /* whose; unless META, UNUSED, UNKNOWN or BLOB */
	/*
	 * DATA and BLOB: which bytes of it. Of compressed content, all that
	 * is compressed together: damage anywhere can reach any of them.
	 */
	uint64_t file_offset, file_size;
	bool whole;       /* compressed: file_offset and file_size are not cut down */
	const char *what; /* META and BLOB; static, or owned by the locator */
};

/* One name of an inode; a file can have several. */
struct located_name {
	uint64_t inode;
	char *path; /* owned; any bytes but NUL; from "/" on */
	size_t size;
};

struct locator {
	const struct file *file; /* not owned */
	uint64_t offset, size;   /* of the file system in the file, bytes */
	struct range *wanted;    /* owned: bytes of the file system; sorted, disjoint */
	size_t n_wanted, wanted_capacity;
	struct located *items; /* owned; sorted by offset once located */
	size_t n_items, capacity;
	struct located_name *names; /* owned; sorted by inode once located */
	size_t n_names, names_capacity;
	char **faults; /* owned: what could not be read, a sentence each */
	size_t n_faults;
	uint64_t n_more_faults; /* that there was no room for */
	char **texts;           /* owned: for `what` */
	size_t n_texts;
	bool incomplete; /* there was more to tell than LOCATED_MAX */
};

#define LOCATED_MAX       ((size_t)1 << 18) /* items, and names */
#define LOCATED_FAULT_MAX 32

#define AUTO_LOCATOR __attribute__((cleanup(locator_free))) struct locator

/* For the file system of SIZE bytes at OFFSET of F. L must be zeroed before. */
void locator_init(
	struct locator *l, const struct file *f, uint64_t offset, uint64_t size);
void locator_free(struct locator *l);

/*
 * Asks for SIZE bytes (not 0) at OFFSET of the file system. What is asked for twice is
 * told once; ranges that touch are told apart.
 */
int locator_want(struct locator *l, uint64_t offset, uint64_t size);

/*
 * Finds what all that was asked for is: then `items` covers it. Negative only if memory
 * ran out or the image cannot be read at all; an unknown or unreadable file system is a
 * fault of the locator, and all bytes are LOCATED_UNKNOWN.
 */
int locate(struct locator *l);

/* The index of the first item that starts at or behind OFFSET. */
size_t locator_first(const struct locator *l, uint64_t offset);

/*
 * Whether any item is metadata that locating itself read: if those bytes are damaged, so
 * may be what it says about others.
 */
bool locator_read_wanted(const struct locator *l);

/*
 * For people: what SIZE bytes at OFFSET are, a range that was asked for; at most LIMIT
 * things are named. "/usr/bin/foo bytes 8192-12287; directory block of /etc; unused".
 * Control characters, backslashes and what is not UTF-8 are shown as \xNN.
 */
int locator_describe(const struct locator *l, uint64_t offset, uint64_t size,
	size_t limit, struct buffer *text);

/* What ITEM is, in the same words. */
int locator_describe_item(
	const struct locator *l, const struct located *item, struct buffer *text);

/* PATH is appended, shown as above. */
int locator_print_path(struct span path, struct buffer *text);

/* The same for programs: an array (docs/verify-json.md); offsets are of the image. */
json_object *locator_json(const struct locator *l, uint64_t offset, uint64_t size);
json_object *locator_item_json(const struct locator *l, const struct located *item);

#endif
