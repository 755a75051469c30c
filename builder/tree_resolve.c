/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/tree.h"

/* As many links as Linux follows in one path. */
#define MAX_LINKS 40

/* Removes the last component of PATH, which stays at the root if it is there. */
static void ascend(struct buffer *path)
{
	while (path->size && path->data[path->size - 1] != '/')
		path->size--;
	if (path->size)
		path->size--;
	if (path->data)
		path->data[path->size] = 0;
}

static int descend(struct buffer *path, const char *name, size_t length)
{
	if (path->size && buffer_append(path, "/", 1) < 0)
		return -1;
	return buffer_append(path, name, length);
}

/* TODO becomes TARGET followed by what was left of it. */
static int push_target(char **todo, const char *target, const char *rest)
{
	BUFFER next = {0};
	if (buffer_printf(&next, "%s/%s", target, rest) < 0)
		return -1;
	free(*todo);
	*todo = buffer_steal_text(&next);
	return *todo ? 0 : -1;
}

/* One component of *TODO, whose rest REST points at; DONE is where we stand. */
static int step(const struct tree *tree, struct buffer *done, const char *name,
	size_t length, bool *followed, const struct tree_entry **entry)
{
	*followed = false;
	if (length == 0)
		return 0;
	if (!S_ISDIR((*entry)->mode))
		return -1;
	if (length == 1 && name[0] == '.')
		return 0;
	if (length == 2 && name[0] == '.' && name[1] == '.') {
		ascend(done);
		*entry = tree_find(tree, buffer_text(done));
		return 0;
	}
	if (descend(done, name, length) < 0)
		return -1;
	*entry = tree_find(tree, buffer_text(done));
	if (!*entry)
		return -1;
	*followed = S_ISLNK((*entry)->mode);
	return 0;
}

const struct tree_entry *tree_resolve(const struct tree *tree, const char *path)
{
	BUFFER done = {0};
	char *todo = strdup(path);
	const char *at = todo;
	const struct tree_entry *entry = tree_find(tree, "");
	unsigned links = 0;
	while (at && entry && *at) {
		size_t length = strcspn(at, "/");
		const char *rest = at + length + (at[length] == '/');
		bool followed;
		if (step(tree, &done, at, length, &followed, &entry) < 0) {
			entry = NULL;
			break;
		}
		at = rest;
		if (!followed)
			continue;
		ascend(&done);
		if (entry->target[0] == '/')
			done.size = 0;
		if (done.data)
			done.data[done.size] = 0;
		if (++links > MAX_LINKS || push_target(&todo, entry->target, rest) < 0) {
			entry = NULL;
			break;
		}
		at = todo;
		entry = tree_find(tree, buffer_text(&done));
	}
	free(todo);
	return at ? entry : NULL;
}
