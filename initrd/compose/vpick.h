/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_VPICK_H
#define CAIRN_COMPOSE_VPICK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * One version among several (`.v/` directories, UAPI.10's companion vpick): entries are
 * NAME_VERSION[_ARCHITECTURE][+LEFT[-DONE]]SUFFIX.
 */
struct pick {
	char version[128];
	bool is_native;    /* names this machine's architecture */
	bool is_exhausted; /* no tries left */
};

/*
 * Whether ENTRY is a version of NAME with SUFFIX ("" for directories) for this machine.
 */
bool pick_parse(struct pick *p, const char *entry, const char *name, const char *suffix);

/* Negative if A is to be taken rather less than B. */
int pick_compare(const struct pick *a, const struct pick *b);

#endif
