/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_LISTING_H
#define CAIRN_VERIFIER_EXAMINE_LISTING_H

#include "core/file.h"
#include "verifier/report.h"

/*
 * All files of a mount that may be hostile: each is opened below the directory it was
 * found in, no link is followed, and nothing but regular files and directories is opened.
 */
struct listing {
	const struct file *to; /* gets DFXML file objects */
	struct report *report; /* gets what could not be listed or read, by its path */
	int (*tick)(void *);   /* called often; a negative result ends it */
	void *context;
	/* Results: */
	uint64_t n_files, n_unread;
	uint64_t size; /* bytes written to TO */
};

/* Walks the mount MOUNT, a descriptor of its root. */
int listing_run(struct listing *l, int mount);

#endif
