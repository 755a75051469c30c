/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_COMPOSE_H
#define CAIRN_COMPOSE_COMPOSE_H

#include "initrd/compose/standing.h"
#include "initrd/compose/survey.h"

/*
 * Extensions, verified and composed over a base: what the init does before the real init
 * runs, and what `cairn extension` does at any time after. Nothing runs in between: what
 * is mounted is the state. Only for a process with one thread.
 */
struct compose_options {
	const char *root; /* the directory of the system: "/" */
	const char *run;  /* where lock and stage are: "/run/cairn" */
	enum extension_class class;
	enum compose_mode mode;
	bool attached;  /* also disks that ask for it (attached.h) */
	bool bare;      /* no extensions: only the upper layer of the mode */
	bool fresh;     /* refuse (STATUS_FAILED) if there is a composition already */
	bool allow_gap; /* a mutable composition is taken away before it is replaced */
	const char *const
		*allow_override; /* names of extensions, ends with NULL; or NULL */
	unsigned lock_ms;        /* how long to wait for another run */
};

struct compose_report {
	bool changed;           /* else what is there is what would be made */
	bool stacked;           /* the kernel could only stack it on the old one */
	unsigned n_reaped;      /* devices that a killed run left */
	struct buffer before;   /* the list of what was composed; empty: nothing was */
	struct buffer manifest; /* what is composed now; empty: nothing is */
	char names[1 + EXTENSIONS_MAX][EXTENSION_NAME_MAX]; /* of layers, 0 is the base */
	struct survey survey; /* the collisions; its layers are gone */
};

/*
 * Puts what the search directories hold in place of what is composed now. In this order:
 * lock, reap what a killed run left, read the anchors from the base, vouch for every
 * extension, open dm-verity, check the files, find collisions, mount, switch. Any failure
 * leaves the old composition in place, whole:
 *   STATUS_TRUST     not signed by whom the base trusts for this, or below the floor
 *   STATUS_CONTENT   blocks that do not verify
 *   STATUS_FORMAT    malformed, or not for this system
 *   STATUS_DIFFERS   collisions (REPORT lists them), or files that no extension may have
 *   STATUS_TIMEOUT   another run keeps the lock
 * REPORT need not be initialized, and must be freed in any case.
 */
int compose_refresh(const struct compose_options *o, struct compose_report *report);

/* Takes the composition away, if there is one: the base is seen. */
int compose_unmerge(const struct compose_options *o, struct compose_report *report);

void compose_report_free(struct compose_report *report);

#endif
