/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_EXTENSION_RELEASE_H
#define CAIRN_BUILDER_EXTENSION_RELEASE_H

#include "builder/tree.h"
#include "core/certificate.h"

/*
 * The extension-release file of an extension image: which systems it is for. Source: the
 * UAPI group's extension image specification and os-release(5).
 */

enum extension_field {
	EXTENSION_ID,           /* of the systems it fits; "_any" fits all */
	EXTENSION_VERSION_ID,   /* of the system, unless there is a level */
	EXTENSION_LEVEL,        /* SYSEXT_LEVEL or CONFEXT_LEVEL */
	EXTENSION_SCOPE,        /* SYSEXT_SCOPE or ...: system, initrd, portable */
	EXTENSION_ARCHITECTURE, /* as systemd names it, "x86-64"; "_any" */
	EXTENSION_EPOCH,        /* CAIRN_EPOCH: a number; below the floor is refused */
	EXTENSION_N_FIELDS,
};

/* The fields' values; NULL where one is absent. */
struct extension_release {
	char *values[EXTENSION_N_FIELDS]; /* owned */
};

void extension_release_free(struct extension_release *r);
#define AUTO_EXTENSION_RELEASE \
	__attribute__((cleanup(extension_release_free))) struct extension_release

/* "usr/lib/extension-release.d" or "etc/extension-release.d", for sysext or confext. */
const char *extension_release_directory(enum purpose kind);

/*
 * If the tree has the file for the image NAME: reads and checks it, and refuses
 * (STATUS_USAGE) where it does not have what WANTED (NULL: anything) asks for. If not:
 * adds it, made of WANTED, as of MTIME. Either way RELEASE then says what is in it.
 * STATUS_FORMAT: a file of another name, a key twice, no ID, values that mean nothing.
 */
int extension_release_settle(struct tree *tree, enum purpose kind, const char *name,
	const char *const wanted[EXTENSION_N_FIELDS], int64_t mtime,
	struct extension_release *release);

#endif
