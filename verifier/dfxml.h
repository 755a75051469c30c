/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_DFXML_H
#define CAIRN_VERIFIER_DFXML_H

#include <stdbool.h>
#include <sys/stat.h>

#include "verifier/examination.h"

/*
 * An examination as Digital Forensics XML, the elements in the order of the schema 1.1.0
 * (the DFXML working group's dfxml.xsd). The file objects come from elsewhere, one after
 * the other: there may be more than memory holds.
 */

/* A file as its file object tells of it. */
struct dfxml_file {
	struct span path; /* without a first slash; any bytes */
	const struct statx *state;
	const char *target;    /* of a symbolic link; else NULL */
	const uint8_t *sha256; /* of a regular file; NULL: it could not be read */
	bool is_deleted;       /* `path` may be empty then */
	int64_t dtime;         /* when it was deleted, seconds since 1970; 0: not known */
};

/* Appends one file object. */
int dfxml_file(struct buffer *xml, const struct dfxml_file *file);

/* What stands before the file objects, and behind them. */
int dfxml_head(struct buffer *xml, const struct examination *e);
int dfxml_tail(struct buffer *xml, const struct examination *e);

#endif
