/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/tree_build.h"

/* Where PATH is to stand: the index of the first entry behind it. */
static size_t place_of(const struct tree *tree, const char *path)
{
	size_t low = 0, high = tree->n_entries;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (tree_compare(tree->entries[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Puts E, which then belongs to the tree, in its place below PARENT. */
static int insert(struct tree *tree, struct tree_entry *e, size_t parent, size_t *index)
{
	struct tree_entry *entries =
		reallocarray(tree->entries, tree->n_entries + 1, sizeof *entries);
	if (!entries) {
		tree_entry_free(e);
		return error_memory();
	}
	tree->entries = entries;
	size_t at = *index = place_of(tree, e->path);
	memmove(entries + at + 1, entries + at, (tree->n_entries - at) * sizeof *entries);
	entries[at] = *e;
	tree->n_entries++;
	for (size_t i = 0; i < tree->n_entries; i++) {
		entries[i].parent += entries[i].parent >= at;
		entries[i].first_name += entries[i].first_name >= at;
	}
	entries[at].parent = parent; /* a directory stands before what is in it */
	entries[at].first_name = at;
	return 0;
}

/* The directory that the first LENGTH bytes of PATH name, made if need be. */
static int have_directory(
	struct tree *tree, const char *path, size_t length, int64_t mtime, size_t *index)
{
	char quoted[TREE_QUOTE_SIZE];
	struct tree_entry e = {.path = strndup(path, length),
		.mode = S_IFDIR | 0755,
		.mtime = mtime,
		.n_names = 1};
	if (!e.path)
		return error_memory();
	const struct tree_entry *there = tree_find(tree, e.path);
	if (!there)
		return insert(tree, &e, *index, index);
	int r = S_ISDIR(there->mode) ? 0
				     : error_format("%s: %s: is not a directory",
					       tree->name, tree_quote(e.path, quoted));
	*index = (size_t)(there - tree->entries);
	free(e.path);
	return r;
}

int tree_add_file(
	struct tree *tree, const char *path, int64_t mtime, struct span contents)
{
	size_t parent = 0, index;
	int r = 0;
	for (const char *slash = path; r == 0 && (slash = strchr(slash, '/')); slash++)
		r = have_directory(tree, path, (size_t)(slash - path), mtime, &parent);
	if (r < 0)
		return r;
	struct tree_entry e = {.path = strdup(path),
		.mode = S_IFREG | 0644,
		.mtime = mtime,
		.size = contents.size,
		.n_names = 1,
		.contents = malloc(contents.size + 1)};
	if (!e.path || !e.contents) {
		tree_entry_free(&e);
		return error_memory();
	}
	if (contents.size)
		memcpy(e.contents, contents.data, contents.size);
	return insert(tree, &e, parent, &index);
}

int tree_date(const struct tree *tree, int64_t *date)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	*date = 0;
	for (size_t i = 0; !text && i < tree->n_entries; i++)
		if (tree->entries[i].mtime > *date)
			*date = tree->entries[i].mtime;
	if (!text)
		return 0;
	char *end;
	errno = 0;
	*date = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return error_usage(
			"SOURCE_DATE_EPOCH '%s': not a number of seconds", text);
	return 0;
}
