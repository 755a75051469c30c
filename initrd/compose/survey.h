/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_SURVEY_H
#define CAIRN_COMPOSE_SURVEY_H

#include "initrd/compose/layer.h"

/* What two layers both provide, and not identically. */
struct collision {
	char *path;          /* owned; as in the merged system */
	size_t upper, lower; /* layers; the upper one's would be seen */
	bool allowed;
};

struct survey {
	/* in */
	const struct layer *layers; /* the base first, then from the lowest up */
	size_t n_layers;
	bool (*allows_override)(const struct layer *upper); /* its files may replace */
	int (*check)(const struct layer *l, const char *path, const struct entry *e);
	/* out: zeroed before */
	struct collision *collisions;
	size_t n_collisions, capacity;
	size_t n_refused;   /* of them, those that are not allowed */
	uint64_t n_entries; /* names in extensions */
};

/*
 * Walks hierarchy H of all extensions at once, calls `check` for each name in one, and
 * lists the collisions: names whose type, contents, mode, owner, device number or
 * extended attributes differ between layers, directories included. What `check` returns
 * below 0 ends the walk. That there are collisions is no failure.
 */
int survey_hierarchy(struct survey *s, enum hierarchy h);
void survey_free(struct survey *s);

#endif
