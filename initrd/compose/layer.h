/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_LAYER_H
#define CAIRN_COMPOSE_LAYER_H

#include "initrd/compose/entry.h"
#include "initrd/compose/search.h"

/* The directories that compositions replace. */
enum hierarchy {
	HIERARCHY_USR,
	HIERARCHY_OPT,
	HIERARCHY_ETC,
};
#define N_HIERARCHIES 3

/* "usr", "opt", "etc"; and whether extensions of CLASS have it. */
const char *hierarchy_name(enum hierarchy h);
bool hierarchy_is_of(enum hierarchy h, enum extension_class class);

/* One mounted tree. Layer 0 of a composition is the base, called "the base". */
struct layer {
	const char *name; /* not owned */
	int tree;         /* its root directory, as a descriptor; not owned */
	void *context;    /* for the caller */
};

/*
 * The rules for what an extension may contain, wherever it lies: device nodes and
 * whiteouts, attributes that mean something to overlayfs, programs that run with others'
 * rights (unless SETUID), and what decides whom the system trusts are refused. PATH is as
 * in the merged system ("/usr/bin/x"); E's attributes were read. STATUS_DIFFERS.
 */
int layer_check_entry(
	const char *name, const char *path, const struct entry *e, bool setuid);

/*
 * The rules for its root directory: only the hierarchies of CLASS, each a directory (a
 * lost+found is let pass, and not used), and no os-release. STATUS_FORMAT.
 */
int layer_check_root(const struct layer *l, enum extension_class class);

#endif
