/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_OS_RELEASE_H
#define CAIRN_BUILDER_OS_RELEASE_H

#include "builder/tree.h"

/* The os-release file of a tree (os-release(5)). */

/* Appends the file's text; STATUS_FORMAT if the tree has none. */
int os_release_read(const struct tree *tree, struct buffer *text);

/*
 * The value of KEY, unquoted; *VALUE is NULL if it is absent or malformed. The caller
 * frees it.
 */
int os_release_get(struct span text, const char *key, char **value);

/* How often KEY is assigned. */
unsigned os_release_count(struct span text, const char *key);

/*
 * Appends TEXT to AMENDED with IMAGE_ID and IMAGE_VERSION being ID and VERSION: boot
 * loaders sort by them. Other lines stay as they are, all of them if nothing changes.
 */
int os_release_amend(
	struct span text, const char *id, const char *version, struct buffer *amended);

#endif
