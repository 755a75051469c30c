/* SPDX-License-Identifier: MIT */
#include "initrd/compose/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/interrupt.h"

#define DEPTH_MAX 128

/* One directory of the merged system: a descriptor for each layer that has it, or -1. */
struct directory {
	int fds[1 + EXTENSIONS_MAX];
};

static void close_all(struct directory *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (d->fds[i] >= 0)
			close(d->fds[i]);
}

void survey_free(struct survey *s)
{
	for (size_t i = 0; i < s->n_collisions; i++)
		free(s->collisions[i].path);
	free(s->collisions);
	s->collisions = NULL;
	s->n_collisions = s->capacity = s->n_refused = 0;
}

static int collide(struct survey *s, const char *path, size_t upper, size_t lower)
{
	bool allowed = s->allows_override(&s->layers[upper]);
	if (s->n_collisions == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 64;
		void *more =
			reallocarray(s->collisions, capacity, sizeof s->collisions[0]);
		if (!more)
			return error_memory();
		s->collisions = more;
		s->capacity = capacity;
	}
	char *copy = strdup(path);
	if (!copy)
		return error_memory();
	s->collisions[s->n_collisions++] =
		(struct collision){copy, upper, lower, allowed};
	s->n_refused += !allowed;
	return 0;
}

/* ---- the names of a directory ---------------------------------------------- */

struct names {
	struct buffer text; /* each with a NUL behind it */
	char **items;
	size_t n;
};

static void names_free(struct names *n)
{
	buffer_free(&n->text);
	free(n->items);
}

static int add_names(struct names *n, int dirfd, const char *path)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = error_errno("%s: cannot list", path);
		if (fd >= 0)
			close(fd);
		return r;
	}
	errno = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir)); errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			r = buffer_append(&n->text, e->d_name, strlen(e->d_name) + 1);
			n->n++;
		}
	if (r == 0 && errno)
		r = error_errno("%s: cannot list", path);
	closedir(dir);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once: so that what is found does not depend on the file systems. */
static int sort_names(struct names *n)
{
	n->items = calloc(n->n + 1, sizeof n->items[0]);
	if (!n->items)
		return error_memory();
	char *at = (char *)n->text.data;
	for (size_t i = 0; i < n->n; i++, at += strlen(at) + 1)
		n->items[i] = at;
	qsort(n->items, n->n, sizeof n->items[0], by_name);
	size_t kept = 0;
	for (size_t i = 0; i < n->n; i++)
		if (!kept || strcmp(n->items[kept - 1], n->items[i]) != 0)
			n->items[kept++] = n->items[i];
	n->n = kept;
	return 0;
}

/* What the extensions have in this directory; the base's own names collide with nothing.
 */
static int list_names(const struct survey *s, const struct directory *d, const char *path,
	struct names *names)
{
	int r = 0;
	for (size_t i = 1; r == 0 && i < s->n_layers; i++)
		if (d->fds[i] >= 0)
			r = add_names(names, d->fds[i], path);
	return r < 0 ? r : sort_names(names);
}

/* ---- one name -------------------------------------------------------------- */

static int walk(
	struct survey *s, struct directory *d, struct buffer *path, unsigned depth);

static int open_layer(struct survey *s, const struct directory *d, size_t i,
	const char *name, const char *path, struct entry *e)
{
	*e = ENTRY_NONE;
	if (d->fds[i] < 0)
		return 1;
	int r = entry_open(e, d->fds[i], name, path);
	if (r == 0)
		r = entry_read_xattrs(e, path);
	if (r == 0 && i > 0) {
		s->n_entries++;
		r = s->check(&s->layers[i], path, e);
	}
	return r;
}

/*
 * Each layer is compared with the next one below that has the name. What is not a
 * directory hides directories of that name further down: those are not walked.
 */
static int compare_layers(struct survey *s, struct entry *e, const char *path,
	struct directory *below, bool *any)
{
	size_t upper = 0;
	bool found = false, open = true;
	int r = 0;
	for (size_t i = s->n_layers; r >= 0 && i-- > 0;) {
		below->fds[i] = -1;
		if (e[i].fd < 0)
			continue;
		if (found) {
			r = entry_compare(&e[upper], &e[i], path);
			if (r > 0)
				r = collide(s, path, upper, i);
		}
		found = true;
		upper = i;
		open = open && S_ISDIR(e[i].st.st_mode);
		if (open && r >= 0) {
			below->fds[i] = openat(e[i].fd, ".",
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below->fds[i] < 0)
				r = error_errno("%s: cannot open", path);
			*any |= i > 0;
		}
	}
	return r < 0 ? r : 0;
}

/* Looks at NAME in all layers; BELOW gets the directories to be walked, ANY if so. */
static int examine(struct survey *s, const struct directory *d, const char *name,
	const char *path, struct directory *below, bool *any)
{
	struct entry *e = calloc(s->n_layers, sizeof *e);
	int r = e ? 0 : error_memory();
	size_t n_open = 0;
	while (r >= 0 && n_open < s->n_layers) {
		r = open_layer(s, d, n_open, name, path, &e[n_open]);
		n_open++;
	}
	if (r >= 0)
		r = compare_layers(s, e, path, below, any);
	while (n_open > 0)
		entry_close(&e[--n_open]);
	free(e);
	return r;
}

static int visit(struct survey *s, const struct directory *d, const char *name,
	struct buffer *path, unsigned depth)
{
	struct directory below;
	bool any = false;
	for (size_t i = 0; i < s->n_layers; i++)
		below.fds[i] = -1;
	int r = examine(s, d, name, buffer_text(path), &below, &any);
	if (r == 0 && any)
		r = walk(s, &below, path, depth + 1);
	close_all(&below, s->n_layers);
	return r;
}

static int walk(
	struct survey *s, struct directory *d, struct buffer *path, unsigned depth)
{
	struct names names = {.n = 0};
	size_t length = path->size;
	int r = interrupt_check();
	if (r == 0 && depth > DEPTH_MAX)
		r = error_format("%s: more than %d directories deep", buffer_text(path),
			DEPTH_MAX);
	if (r == 0)
		r = list_names(s, d, buffer_text(path), &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		r = buffer_printf(path, "/%s", names.items[i]);
		if (r == 0)
			r = visit(s, d, names.items[i], path, depth);
		path->size = length;
		if (path->data)
			path->data[length] = 0;
	}
	names_free(&names);
	return r;
}

int survey_hierarchy(struct survey *s, enum hierarchy h)
{
	BUFFER path = {0};
	struct directory roots = {.fds = {0}};
	int r = buffer_printf(&path, "/%s", hierarchy_name(h));
	for (size_t i = 0; i < s->n_layers; i++)
		roots.fds[i] = s->layers[i].tree;
	return r < 0 ? r : visit(s, &roots, hierarchy_name(h), &path, 0);
}
