/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_SEGMENTS_H
#define CAIRN_VERIFIER_EXAMINE_SEGMENTS_H

#include <stddef.h>

/*
 * The files that an image was split into, by their names: raw ones NAME.001, NAME.002...
 * (also NAME.000, NAME.01 or NAME.aa, NAME.ab...), those of EWF NAME.E01 to NAME.E99,
 * then NAME.EAA to NAME.ZZZ.
 */
enum segments_kind {
	SEGMENTS_RAW,
	SEGMENTS_EWF,
};

struct segments {
	char **paths; /* owned, each of them too; in order */
	size_t n_paths;
};

#define AUTO_SEGMENTS __attribute__((cleanup(segments_free))) struct segments

/*
 * Finds those that follow PATH, the first. None but itself if its name is no such name.
 * STATUS_FORMAT if one is missing that others come after.
 */
int segments_find(struct segments *s, const char *path, enum segments_kind kind);

/* May be called twice. */
void segments_free(struct segments *s);

#endif
