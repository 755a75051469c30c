/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PAGE_LAYOUT_H
#define CAIRN_VERIFIER_PAGE_LAYOUT_H

#include "verifier/page.h"

/* A disk as a picture to scale (SVG inside the page), and as a table beside it. */

enum layout_verdict {
	LAYOUT_SHOWN,   /* looked into, nothing wrong */
	LAYOUT_SKIPPED, /* not looked into */
	LAYOUT_CHANGED, /* something is wrong in it */
};

struct layout_part {
	uint32_t number;       /* 0: no partition, all of the file */
	uint64_t offset, size; /* bytes, inside the disk */
	const char *name;      /* "" if it has none; any bytes */
	const char *type;      /* in words */
	enum layout_verdict verdict;
};

struct layout {
	uint64_t size; /* of the disk, bytes; not 0 */
	const struct layout_part *parts;
	size_t n_parts;              /* by their offsets */
	const struct report *report; /* its faults that have a place are marked */
};

/* The picture is that wide, in its own units; a byte is at this part of them. */
#define LAYOUT_WIDTH 760

void page_layout(struct page *p, const struct layout *l);

#endif
