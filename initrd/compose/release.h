/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_RELEASE_H
#define CAIRN_COMPOSE_RELEASE_H

#include "core/span.h"
#include "initrd/compose/search.h"

/* os-release(5) and extension-release files, and whether one fits the other. */
struct release {
	char id[64], version_id[64], level[64]; /* level: SYSEXT_LEVEL or CONFEXT_LEVEL */
	char scope[128];                        /* SYSEXT_SCOPE or CONFEXT_SCOPE */
	char architecture[32];
};

#define RELEASE_MAX_SIZE 65536

/*
 * Reads the fields that matter to extensions of CLASS from TEXT; what is not there is "".
 * STATUS_FORMAT for a line that is no assignment, bad quotes, or a value that is too
 * long.
 */
int release_parse(struct release *r, enum extension_class class, struct span text,
	const char *name);

/*
 * Whether the extension NAME, whose file is E, belongs on HOST (UAPI.3): ID equal or
 * "_any"; then the levels equal, where both have one, else VERSION_ID; "system" in its
 * scope; its architecture this machine's or "_any". STATUS_FORMAT names what differs.
 */
int release_match(const struct release *e, const struct release *host, const char *name);

#endif
