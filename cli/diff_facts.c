/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"

/*
 * What `cairn inspect` says of both sides, as lines of a path and a value, and compared
 * by path: whatever inspect learns to show, diff compares.
 */
struct line {
	char *path;        /* owned */
	const char *value; /* in the JSON */
};

struct lines {
	struct line *items; /* owned */
	size_t n_items, capacity;
};

static void lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n_items; i++)
		free(l->items[i].path);
	free(l->items);
}

static int add_line(struct lines *l, const char *path, json_object *value)
{
	if (l->n_items == l->capacity) {
		size_t more = l->capacity ? 2 * l->capacity : 256;
		struct line *larger = reallocarray(l->items, more, sizeof *larger);
		if (!larger)
			return error_memory();
		l->items = larger;
		l->capacity = more;
	}
	struct line *line = &l->items[l->n_items];
	*line = (struct line){strdup(path), value ? json_object_get_string(value) : NULL};
	if (!line->path)
		return error_memory();
	l->n_items++;
	return 0;
}

/* What tells the elements of an array apart; else it is their number. */
static const char *name_of(json_object *element)
{
	static const char *const keys[] = {"path", "number", "name", "part", "area"};
	json_object *value;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_object_is_type(element, json_type_object) &&
			json_object_object_get_ex(element, keys[i], &value) && value)
			return json_object_get_string(value);
	return NULL;
}

/* Where a section is in its file follows from the others. */
static bool is_noise(json_object *object, const char *key)
{
	return !strcmp(key, "image") ||
	       (!strcmp(key, "offset") && json_object_object_get(object, "sha256"));
}

static int flatten(struct lines *l, const char *path, json_object *value)
{
	BUFFER below = {0};
	int r = 0;
	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			below.size = 0;
			if (r < 0 || is_noise(value, key))
				continue;
			r = buffer_printf(&below, "%s%s%s", path, *path ? "/" : "", key);
			if (r == 0)
				r = flatten(l, buffer_text(&below), member);
		}
		return r;
	}
	if (!json_object_is_type(value, json_type_array))
		return add_line(l, path, value);
	for (size_t i = 0; r == 0 && i < json_object_array_length(value); i++) {
		json_object *element = json_object_array_get_idx(value, i);
		const char *name = name_of(element);
		below.size = 0;
		r = name ? buffer_printf(&below, "%s/%s", path, name)
			 : buffer_printf(&below, "%s/%zu", path, i);
		if (r == 0)
			r = flatten(l, buffer_text(&below), element);
	}
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	return strcmp(x->path, y->path);
}

static int collect(struct lines *l, const struct diff_side *s)
{
	int r = s->inspection ? flatten(l, "", s->inspection) : 0;
	if (r == 0 && s->packages)
		r = flatten(l, "packages", s->packages);
	if (l->n_items)
		qsort(l->items, l->n_items, sizeof *l->items, by_path);
	return r;
}

/* ---- comparison -------------------------------------------------------------------- */

void diff_facts_free(struct diff_facts *facts)
{
	for (size_t i = 0; i < facts->n_items; i++)
		free(facts->items[i].what);
	free(facts->items);
	*facts = (struct diff_facts){0};
}

static int add_fact(
	struct diff_facts *facts, const char *what, const char *a, const char *b)
{
	struct diff_fact *more =
		reallocarray(facts->items, facts->n_items + 1, sizeof *more);
	if (!more)
		return error_memory();
	facts->items = more;
	more[facts->n_items] = (struct diff_fact){strdup(what), a, b};
	if (!more[facts->n_items].what)
		return error_memory();
	facts->n_items++;
	return 0;
}

static int merge(struct diff_facts *facts, const struct lines *a, const struct lines *b)
{
	size_t i = 0, k = 0;
	int r = 0;
	while (r == 0 && (i < a->n_items || k < b->n_items)) {
		const struct line *x = i < a->n_items ? &a->items[i] : NULL;
		const struct line *y = k < b->n_items ? &b->items[k] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
		const char *from = order <= 0 ? x->value : NULL;
		const char *to = order >= 0 ? y->value : NULL;
		if (order || (from != to && (!from || !to || strcmp(from, to))))
			r = add_fact(facts, order <= 0 ? x->path : y->path, from, to);
		i += order <= 0;
		k += order >= 0;
	}
	return r;
}

int diff_facts_find(
	struct diff_facts *facts, const struct diff_side *a, const struct diff_side *b)
{
	struct lines x = {0}, y = {0};
	/* A directory has no partitions: that is no difference, but of its kind. */
	if (!a->inspection || !b->inspection)
		return 0;
	int r = collect(&x, a);
	if (r == 0)
		r = collect(&y, b);
	if (r == 0)
		r = merge(facts, &x, &y);
	lines_free(&x);
	lines_free(&y);
	return r;
}
