/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PACKAGES_H
#define CAIRN_VERIFIER_PACKAGES_H

#include <stdbool.h>

#include "core/file.h"
#include "core/json.h"

/*
 * The packages that an image's manifest lists (`cairn build` takes them over from mkosi).
 * The manifest lies beside the image and nobody signs it: it is bound to the image only
 * by the root hash it names, and its list is its maker's word.
 */
struct packages {
	json_object *document; /* owned; the whole manifest */
	json_object *list;     /* of objects with name and version; in DOCUMENT */
	const char *root_hash; /* of the image it is about, lower-case hex; in DOCUMENT */
};

/*
 * Reads the manifest in F. STATUS_FORMAT if it is none; STATUS_UNCHECKED if it has no
 * list of packages.
 */
int packages_load(struct packages *p, const struct file *f);
void packages_free(struct packages *p);
#define AUTO_PACKAGES __attribute__((cleanup(packages_free))) struct packages

/* Whether package NAME is there, in VERSION if that is not NULL. */
bool packages_has(const struct packages *p, const char *name, const char *version);

#endif
