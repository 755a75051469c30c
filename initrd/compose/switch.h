/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_SWITCH_H
#define CAIRN_COMPOSE_SWITCH_H

#include "initrd/compose/standing.h"

/*
 * The step that everybody sees. For each hierarchy the new overlay goes beneath the old
 * one, and only when all are there the old ones are detached: whoever opens a file gets
 * it from the old composition or from the new one, and there is always one of them.
 */
struct change {
	struct standing *now; /* as standing_read left it */
	int tree;             /* the new overlay, detached; -1: none, the base is seen */
	bool on_top; /* out: the kernel can only stack; the old ones stay below */
};

/*
 * Replaces N hierarchies. A failure before the first old one is detached leaves all of
 * them in place.
 */
int switch_all(struct change *changes, size_t n);

/*
 * Detaches all our overlays from a hierarchy, and attaches the mounts below the one that
 * was seen to the base, where it has none itself.
 */
int switch_to_base(struct standing *s);

#endif
