/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_MODULES_H
#define CAIRN_BUILDER_MODULES_H

#include "builder/tree.h"

/*
 * Which kernel modules an initrd needs, from the index that depmod wrote into
 * usr/lib/modules/RELEASE of a tree: modules.dep (what each needs), modules.builtin,
 * modules.alias (for which devices) and modules.softdep.
 */
struct modules {
	const struct tree *tree;
	char *directory; /* "usr/lib/modules/RELEASE"; owned */
	struct buffer dep, builtin, alias, softdep;
	unsigned steps; /* taken for the module at hand, to end a loop */
	/* The result: files below DIRECTORY, in load order, and the lines for the init.
	 */
	char **files;
	size_t n_files;
	struct buffer lines; /* initrd/plan/drivers.h */
};

#define AUTO_MODULES __attribute__((cleanup(modules_free))) struct modules

/* May be called twice and on a zeroed struct. */
void modules_free(struct modules *m);

/* Reads the index. STATUS_FORMAT if the tree has none for RELEASE. */
int modules_open(struct modules *m, const struct tree *tree, const char *release);

/*
 * Adds NAME ("dm-verity") and what it needs, loaded in every boot. Returns 0, also for
 * what is built in; 1 if the kernel has no such module.
 */
int modules_add_always(struct modules *m, const char *name);

/* The same, but loaded when a device with one of its aliases is there. */
int modules_add_driver(struct modules *m, const char *name);

/* The same, but loaded for ALIAS alone, which the init asks for by itself. */
int modules_add_for(struct modules *m, const char *name, const char *alias);

#endif
