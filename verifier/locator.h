/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_LOCATOR_H
#define CAIRN_VERIFIER_LOCATOR_H

#include "core/span.h"
#include "verifier/locate.h"

/* What the mappings of the file systems (verifier/locate_*.c) tell the locator. */

/*
 * USE, a run of bytes that belong to something: what of it was asked for is kept. Returns
 * 1 if any was, 0 if not.
 */
int locator_use(struct locator *l, const struct located *use);

/* Whether any of SIZE bytes at OFFSET were asked for. */
bool locator_wants(const struct locator *l, uint64_t offset, uint64_t size);

/* LOCATED_META in short. */
int locator_meta(struct locator *l, uint64_t offset, uint64_t size, const char *what);

/* A formatted text that lives as long as L, or NULL. */
const char *locator_text(struct locator *l, const char *format, ...) ERROR_PRINTF(2, 3);

/* PATH (any bytes) is a name of INODE. */
int locator_name(struct locator *l, uint64_t inode, struct span path);

/* Something could not be read or makes no sense: the recorded sentence is kept. */
int locator_fault(struct locator *l);

/* Each maps one kind of file system; negative only for lack of memory and the like. */
int locate_ext4(struct locator *l);
int locate_erofs(struct locator *l);
int locate_squashfs(struct locator *l);
int locate_blobfs(struct locator *l);

/* ---- directories that are walked from the root --------------------------------------
 */

/*
 * Directories, each with the one it lies in: their paths are made only when they are
 * wanted. A zeroed struct is empty.
 */
struct walk_node {
	size_t parent; /* index; the root's is its own */
	uint64_t inode;
	char *name; /* owned */
	size_t size;
};

struct walk {
	struct walk_node *nodes; /* owned */
	size_t n_nodes, capacity;
	uint64_t *seen; /* owned: a hash table of numbers plus one; 0 is free */
	size_t n_seen, seen_size;
};

void walk_free(struct walk *w);
#define AUTO_WALK __attribute__((cleanup(walk_free))) struct walk

/* Adds a directory, to be looked at later; node 0 is the root, with an empty name. */
int walk_add(struct walk *w, size_t parent, uint64_t inode, struct span name);

/* Returns 1 if NUMBER is new, 0 if it was seen before. */
int walk_see(struct walk *w, uint64_t number);
bool walk_saw(const struct walk *w, uint64_t number);

/* The path of NAME in directory NODE is appended to PATH. */
int walk_path(const struct walk *w, size_t node, struct span name, struct buffer *path);

#endif
