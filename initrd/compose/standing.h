/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_STANDING_H
#define CAIRN_COMPOSE_STANDING_H

#include <limits.h>

#include "initrd/compose/manifest.h"

/* What our overlays call themselves in the list of mounts. */
#define OVERLAY_SOURCE "cairn"

/* A mount below a hierarchy, to be attached again below its successor. */
struct submount {
	char *path; /* relative to the hierarchy; owned */
	int fd;     /* a detached copy, with what is below it; owned */
};

/* One hierarchy as it is mounted now. */
struct standing {
	bool exists;
	bool foreign; /* what is below ours is not the base alone: others mounted there */
	char path[PATH_MAX];    /* canonical */
	unsigned n_ours;        /* overlays of ours, one on the other, at the top */
	struct buffer manifest; /* of the one that is seen, if n_ours */
	struct manifest top;    /* the same, parsed */
	unsigned newest;        /* the highest sequence of them */
	unsigned n_unfinished;  /* at the top, older than one below: a run was killed */
	struct submount *submounts; /* of the one that is seen */
	size_t n_submounts;
};

/*
 * Looks at hierarchy H below the directory ROOT (a path). Refuses (STATUS_FAILED) if
 * somebody else mounted something over an overlay of ours. To be freed in any case.
 */
int standing_read(struct standing *s, const char *root, enum hierarchy h);

/*
 * The same for the first hierarchy of CLASS that has a composition of ours, which speaks
 * for all of them. If none has, S->n_ours is 0.
 */
int standing_read_class(struct standing *s, const char *root, enum extension_class class);

/*
 * Refuses (STATUS_TRUST) what is not the base alone: whom to trust would be read from
 * what others mounted over it.
 */
int standing_check_base(const struct standing *s);

/* Takes copies of the mounts below it. */
int standing_copy_submounts(struct standing *s);

/*
 * In a namespace of our own only: detaches our overlays, so that the base is seen, and
 * learns their sequences.
 */
int standing_reveal(struct standing *s);

void standing_free(struct standing *s);

#endif
