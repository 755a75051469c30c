/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MANIFEST_H
#define CAIRN_COMPOSE_MANIFEST_H

#include "initrd/compose/layer.h"

/*
 * What a composition consists of: a text file in the top directory of each of its
 * hierarchies, so that what is mounted and what it says of itself change in one step.
 *     cairn composition 1
 *     sequence NUMBER           rises with each one
 *     class sysext|confext
 *     mode immutable|ephemeral|mutable
 *     extension NAME ROOTHASH FINGERPRINT            from the lowest layer up
 *     hierarchy usr|opt|etc     those that have an overlay
 */
#define MANIFEST_FILE     ".cairn"
#define MANIFEST_MAX_SIZE 65536

enum compose_mode {
	MODE_IMMUTABLE, /* read-only */
	MODE_EPHEMERAL, /* writable; what is written is gone with the composition */
	MODE_MUTABLE,   /* writable, into /var/lib/extensions.mutable/ */
};

/* "immutable"... */
const char *compose_mode_name(enum compose_mode mode);

struct manifest {
	unsigned sequence;
	enum extension_class class;
	enum compose_mode mode;
	bool has[N_HIERARCHIES];
	struct span body; /* the lines of class, mode and extensions; inside the text */
};

/*
 * Parses TEXT, which must live as long as M. STATUS_FORMAT, naming NAME, for anything
 * else than the above.
 */
int manifest_parse(struct manifest *m, struct span text, const char *name);

/* Appends the whole text: header, BODY, hierarchies. */
int manifest_write(struct buffer *text, unsigned sequence, struct span body,
	const bool has[N_HIERARCHIES]);

/*
 * Calls FOUND for each extension of the body, from the lowest up, with the three words of
 * its line. What FOUND returns below 0 ends it.
 */
int manifest_extensions(const struct manifest *m,
	int (*found)(void *context, char *words[3]), void *context);

#endif
