/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "verifier/locator.h"

/* Longer paths are cut off at their beginning; they are made, not found. */
#define MAX_PATH 65536

void walk_free(struct walk *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		free(w->nodes[i].name);
	free(w->nodes);
	free(w->seen);
	*w = (struct walk){0};
}

int walk_add(struct walk *w, size_t parent, uint64_t inode, struct span name)
{
	if (w->n_nodes == w->capacity) {
		size_t more = w->capacity ? 2 * w->capacity : 256;
		struct walk_node *nodes = reallocarray(w->nodes, more, sizeof *nodes);
		if (!nodes)
			return error_memory();
		w->nodes = nodes;
		w->capacity = more;
	}
	char *copy = malloc(name.size + 1);
	if (!copy)
		return error_memory();
	if (name.size)
		memcpy(copy, name.data, name.size);
	copy[name.size] = 0;
	w->nodes[w->n_nodes++] = (struct walk_node){parent, inode, copy, name.size};
	return 0;
}

/* ---- numbers that were seen -------------------------------------------------------- */

static size_t slot_of(const struct walk *w, uint64_t number)
{
	size_t i = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 16) &
		   (w->seen_size - 1);
	while (w->seen[i] && w->seen[i] != number + 1)
		i = (i + 1) & (w->seen_size - 1);
	return i;
}

static int rehash(struct walk *w)
{
	struct walk larger = {.seen_size = w->seen_size ? 2 * w->seen_size : 1024};
	larger.seen = calloc(larger.seen_size, sizeof *larger.seen);
	if (!larger.seen)
		return error_memory();
	for (size_t i = 0; i < w->seen_size; i++)
		if (w->seen[i])
			larger.seen[slot_of(&larger, w->seen[i] - 1)] = w->seen[i];
	free(w->seen);
	w->seen = larger.seen;
	w->seen_size = larger.seen_size;
	return 0;
}

int walk_see(struct walk *w, uint64_t number)
{
	if (2 * (w->n_seen + 1) > w->seen_size) {
		int r = rehash(w);
		if (r < 0)
			return r;
	}
	size_t i = slot_of(w, number);
	if (w->seen[i])
		return 0;
	w->seen[i] = number + 1;
	w->n_seen++;
	return 1;
}

bool walk_saw(const struct walk *w, uint64_t number)
{
	return w->seen_size && w->seen[slot_of(w, number)];
}

/* ---- paths ------------------------------------------------------------------------- */

/* Names are put in from the end; a NUL, which no sound name has, becomes a slash. */
int walk_path(const struct walk *w, size_t node, struct span name, struct buffer *path)
{
	size_t total = name.size + 1, n = node;
	for (; n != 0 && total < MAX_PATH; n = w->nodes[n].parent)
		total += w->nodes[n].size + 1;
	int r = buffer_append_zeros(path, total);
	if (r < 0)
		return r;
	uint8_t *start = path->data + path->size - total;
	uint8_t *at = path->data + path->size - name.size;
	if (name.size)
		memcpy(at, name.data, name.size);
	*--at = '/';
	for (n = node; n != 0 && at > start; n = w->nodes[n].parent) {
		at -= w->nodes[n].size;
		memcpy(at, w->nodes[n].name, w->nodes[n].size);
		*--at = '/';
	}
	/* The root itself is "/", and what is directly in it has one slash. */
	for (uint8_t *c = start; c < path->data + path->size; c++)
		if (*c == 0)
			*c = '/';
	return 0;
}
