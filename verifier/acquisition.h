/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_ACQUISITION_H
#define CAIRN_VERIFIER_ACQUISITION_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/json.h"

/*
 * How an image was acquired, as the container it is in tells: claims of whoever made it,
 * of which only the digests of the content can be checked. Texts end with NUL, may have
 * any other bytes, and are "" where nothing was said.
 */
#define ACQUISITION_TEXT   1024
#define ACQUISITION_FIELDS 11

struct acquisition {
	char format[32];     /* "EWF (E01)", "split raw"; "": it is in no container */
	uint64_t n_segments; /* files that the container consists of */
	uint64_t media_size; /* bytes of the image in it */
	char fields[ACQUISITION_FIELDS][ACQUISITION_TEXT];
	uint64_t n_read_errors; /* places that could not be read then */
	bool has_md5, has_sha1; /* these are stored in it, over the media's bytes: */
	uint8_t md5[16], sha1[20];
};

/* Names of the fields: in libewf, in the report's JSON, and for people. */
struct acquisition_field {
	const char *ewf, *key, *label;
};
extern const struct acquisition_field acquisition_fields[ACQUISITION_FIELDS];

/* For the reports: docs/forensics.md lists the members. Nothing without a container. */
json_object *acquisition_json(const struct acquisition *a);
int acquisition_text(const struct acquisition *a, struct buffer *text);

#endif
