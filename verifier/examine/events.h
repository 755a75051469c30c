/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_EVENTS_H
#define CAIRN_VERIFIER_EXAMINE_EVENTS_H

#include "verifier/examination.h"

/* What goes into the log of an examination beside its findings, which are in there too.
 */

/* Who began what, when, and as part of which case. From now on findings are logged. */
void events_begin(struct examination *e);

/* The files that were opened. */
void events_opened(struct examination *e);

/* The digests D of F, if they were computed; WHEN: "before", "after". LOG may be NULL. */
void events_hashed(struct event_log *log, const struct examined_file *f,
	const struct file_digests *d, const char *when);

/* What is shown of them, and how. */
void events_shown(struct examination *e);

/* COMMAND starts; it ended, or could not be run. */
void events_run(struct examination *e);
void events_ran(struct examination *e);

/* The last line. */
void events_end(struct examination *e);

#endif
