/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_EVIDENCE_H
#define CAIRN_VERIFIER_EXAMINE_EVIDENCE_H

#include "core/file.h"
#include "verifier/examination.h"

/*
 * A file that must not change while it is looked at: open for reading only, its access
 * time left alone, with a lease that tells of writers where the file system has leases.
 */
struct evidence {
	struct file file;
	struct examined_file *record; /* not owned: what the report says of it */
	bool has_lease;
	bool lease_broken; /* somebody opened it for writing */
	bool is_remote;    /* others answer for it: a server, perhaps */
	bool is_served;    /* a process of ours gives its bytes: no file is watched */
};

#define EVIDENCE_CLOSED ((struct evidence){.file = FILE_CLOSED})

/*
 * Opens PATH and notes its state in RECORD. Refuses everything but a regular file
 * (STATUS_FORMAT), and one that has a writer (STATUS_CHANGED), naming who it is. What
 * could not be watched, and a read-only loop device over the file, go to REPORT.
 */
int evidence_open(struct evidence *e, const char *path, struct examined_file *record,
	struct report *report);

/* The state of the file now. */
int evidence_state(const struct evidence *e, struct file_state *state);

/* Whether somebody has opened the file for writing since evidence_open. */
bool evidence_lease_broken(struct evidence *e);

/*
 * Compares the file with what it was, its content aside: attributes, lease, that its path
 * still leads to it, and that no writable loop device is over it. Faults and passes go to
 * REPORT.
 */
void evidence_compare(struct evidence *e, struct report *report);

/* May be called twice. */
void evidence_close(struct evidence *e);

/* The place a finding about the file is reported at. */
struct place evidence_place(const struct evidence *e);

#endif
