/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_COMPARE_H
#define CAIRN_VERIFIER_COMPARE_H

#include "verifier/files.h"

/* Two lists of files, held against each other by path. */

enum change_kind {
	CHANGE_ADDED,   /* only in B */
	CHANGE_REMOVED, /* only in A */
	CHANGE_CHANGED,
	CHANGE_MOVED, /* the same content, under a path that the other has not */
};

/* What of a file that is in both differs. */
#define DIFFERS_TYPE    0x01u
#define DIFFERS_CONTENT 0x02u /* bytes, target or device numbers */
#define DIFFERS_MODE    0x04u
#define DIFFERS_OWNER   0x08u
#define DIFFERS_XATTR   0x10u
#define DIFFERS_TIME    0x20u

enum sameness {
	SAMENESS_UNKNOWN,
	SAMENESS_SAME,
	SAMENESS_DIFFERENT,
};

struct change {
	enum change_kind kind;
	const struct files_entry *a, *b; /* NULL where there is none */
	unsigned what;                   /* DIFFERS_... */
};

struct comparison {
	struct files *a, *b; /* not owned */
	bool no_times;       /* do not compare times of modification */
	/*
	 * What is known of two regular files of one size without reading them. NULL:
	 * nothing.
	 */
	enum sameness (*known)(void *context, const struct files *a,
		const struct files_entry *x, const struct files *b,
		const struct files_entry *y);
	void *context;
	/* The result, in the order of paths (for what was moved: the new ones). */
	struct change *changes; /* owned */
	size_t n_changes, capacity;
	size_t n_same;    /* files of both that do not differ */
	size_t n_read;    /* files whose bytes were read, on either side */
	uint64_t n_bytes; /* and how many bytes they have */
};

#define AUTO_COMPARISON __attribute__((cleanup(comparison_free))) struct comparison
void comparison_free(struct comparison *c);

/* Set a and b, and what is optional; zero the rest. 0 whatever differs. */
int compare(struct comparison *c);

#endif
