/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_TREE_BUILD_H
#define CAIRN_BUILDER_TREE_BUILD_H

#include "builder/tree.h"

/* How tree_dir.c and tree_tar.c put a tree together; for nobody else. */

/* The kernel's limits: of a name, a symbolic link's target, an attribute and their list.
 */
#define TREE_NAME_MAX   255
#define TREE_TARGET_MAX 4095
#define TREE_XATTR_MAX  65536

struct tree_item {
	struct tree_entry entry;
	char *link;   /* a hard link of an archive: the path it names, else NULL */
	size_t order; /* when it came */
};

struct tree_builder {
	struct tree_item *items;
	size_t n_items;
	size_t capacity;
	const char *name; /* of the input; borrowed */
};

void tree_builder_free(struct tree_builder *b);

/*
 * Adds an entry and points ITEM at it until the next call. PATH belongs to the builder
 * from here on, also on failure.
 */
int tree_builder_add(struct tree_builder *b, char *path, struct tree_item **item);

/*
 * Sorts, completes parents, joins hard links, and moves all into TREE. Refuses what
 * tree_load promises to refuse.
 */
int tree_builder_finish(struct tree_builder *b, struct tree *tree);

/* The order of tree.entries: bytes, with '/' lowest. */
int tree_compare(const char *a, const char *b);

/*
 * Adds a copy of an attribute unless it belongs to a namespace of the host's file system
 * (all but user, trusted, security and the POSIX ACLs). Names are sorted by finish.
 */
int tree_add_xattr(
	struct tree_entry *e, const char *name, const void *value, size_t size);

/* Adds an extent, joining it with the last one if they touch. */
int tree_add_extent(
	struct tree_entry *e, uint64_t offset, uint64_t size, uint64_t stored);

void tree_entry_free(struct tree_entry *e);

/* PATH as it may stand in a message: control characters and non-ASCII escaped. */
#define TREE_QUOTE_SIZE 320
const char *tree_quote(const char *path, char text[TREE_QUOTE_SIZE]);

int tree_load_dir(struct tree *tree, int dirfd);
int tree_load_tar(struct tree *tree, const struct file *archive);

/* Opens the content of a directory's file, refusing one that changed since. */
int tree_open_file(const struct tree *tree, const struct tree_entry *e, struct file *f);
int tree_check_unchanged(const struct tree *tree, const struct tree_entry *e, int fd);

#endif
