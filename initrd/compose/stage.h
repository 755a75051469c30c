/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_STAGE_H
#define CAIRN_COMPOSE_STAGE_H

#include "initrd/compose/standing.h"

/*
 * Where overlays are put together, in a namespace of our own: a tmpfs with the base and
 * the layers mounted below it.
 */
struct stage {
	int fd;   /* its root directory; owned */
	int root; /* the system below whose root directory it all happens; owned */
	int base; /* that system's file system without what is mounted over it; owned */
	char path[PATH_MAX];
};

#define STAGE_CLOSED ((struct stage){.fd = -1, .root = -1, .base = -1})
#define AUTO_STAGE   __attribute__((cleanup(stage_close))) struct stage

/*
 * Mounts the tmpfs at the directory RUN/stage, which is made if it is not there, and the
 * base of the system below ROOT in it: copies of ROOT itself and of each hierarchy.
 */
int stage_open(struct stage *s, const char *root, const char *run);
void stage_close(struct stage *s);

/* The base's directory PATH; returns a descriptor. */
int stage_open_base(const struct stage *s, const char *path);

/* Mounts the detached TREE as layer NUMBER (0 is the lowest). */
int stage_add(const struct stage *s, size_t number, int tree);

/* What an overlay is made of. */
struct overlay {
	enum hierarchy hierarchy;
	enum compose_mode mode;
	const bool *has; /* for each layer from 0 on, whether it has the hierarchy */
	size_t n_layers;
	struct span manifest;             /* its text, put into the top directory */
	const struct submount *submounts; /* attached below it */
	size_t n_submounts;
};

/*
 * Whether there is a directory for what is written in mutable mode,
 * /var/lib/extensions.mutable/HIERARCHY (a link is followed).
 */
bool stage_is_mutable(const struct stage *s, enum hierarchy h);

/*
 * Makes the one flat overlay: manifest, layers, base, and an upper layer if the mode asks
 * for one; read-only else. Returns a detached mount with the submounts attached, or a
 * negative errno.
 */
int stage_overlay(const struct stage *s, const struct overlay *o);

#endif
