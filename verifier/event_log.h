/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EVENT_LOG_H
#define CAIRN_VERIFIER_EVENT_LOG_H

#include <stdbool.h>

#include "core/buffer.h"

/*
 * The log of an examination: lines that are only ever appended, each of them chained to
 * the one before. A line is
 *     NUMBER TIME PREVIOUS WORD TEXT
 * with single spaces between and a new line behind: NUMBER counts from 1; TIME is UTC, as
 * examination_time writes it; PREVIOUS is the SHA-256, in hex, of the whole line before,
 * its new line included (64 zeros in the first line); WORD tells the kind of event, in
 * small letters; TEXT is UTF-8 without control characters. The last line's WORD is "end".
 */
struct event_log_head {
	uint64_t n_lines;
	uint8_t sha256[32]; /* of the last line; zeros: there is none */
};

/* A zeroed struct is an empty log. */
struct event_log {
	struct buffer text; /* all lines */
	struct event_log_head head;
	bool incomplete; /* memory ran out: it must not be used */
	int copy;        /* gets each line when it is made, if it can; 0: there is none */
};

/* The last line's WORD. */
#define EVENT_LOG_END "end"

/*
 * Appends a line. Control characters and what is not UTF-8 become U+FFFD. It does not
 * fail, but can leave the log incomplete.
 */
void event_log_add(struct event_log *log, const char *word, const char *format, ...)
	ERROR_PRINTF(3, 4);

/* May be called twice. */
void event_log_free(struct event_log *log);

/*
 * Checks that LINES are a whole log, whose last line is that of HEAD. SET_BACK becomes
 * the number of the first line that is older than the one before it, or 0. NAME is for
 * messages, which name the first line that is wrong:
 *   -EINVAL, STATUS_FORMAT     it is not a line of the kind above
 *   -EBADMSG, STATUS_CONTENT   lines are missing, or were altered
 */
int event_log_check(struct span lines, const char *name,
	const struct event_log_head *head, uint64_t *set_back);

#endif
