/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_ERROR_H
#define CAIRN_CORE_ERROR_H

/*
 * The error contract of the whole tree.
 *
 * A function that can fail returns an int:
 *   0          it did what it says;
 *   positive   a result the function documents, which the caller must handle;
 *   negative   a negative errno. It is fatal to the call, always forwarded and
 *              never matched against, except where a function documents that a
 *              given value is to be expected (-ENOENT of an optional file).
 *
 * The human sentence (what, which file, which offset, why) is recorded once, by the
 * function that knows it, and printed once, by main. Recording also fixes the exit
 * status. A caller that tolerates a failure simply goes on: the next record replaces
 * the old one. The record belongs to the thread; workers hand theirs to the caller.
 *
 * Predicates and getters that cannot fail return bool or the value itself.
 */

#include <stdarg.h>

/* Exit statuses, the same for every program of the project. */
enum status {
	STATUS_GOOD = 0,
	STATUS_FAILED = 1,    /* could not do it: I/O, missing tool, no memory */
	STATUS_USAGE = 2,     /* the command line makes no sense */
	STATUS_CONTENT = 3,   /* content is not what its hash says */
	STATUS_TRUST = 4,     /* signature or key not trusted, version below the floor */
	STATUS_FORMAT = 5,    /* malformed or unsupported input */
	STATUS_CHANGED = 6,   /* examine: the backing file changed, or may have */
	STATUS_UNCHECKED = 7, /* a check could not run */
	STATUS_DIFFERS = 8,   /* contents differ, a policy is violated, a collision */
	STATUS_TIMEOUT = 9,   /* time-out, or a lock is busy */
			      /* 128 + N: ended by signal N */
};

#define ERROR_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Records STATUS and the sentence, and returns -ERR (EIO if ERR is not positive). */
int error_set(enum status status, int err, const char *format, ...) ERROR_PRINTF(3, 4);

/* As error_set with STATUS_FAILED and the current errno, whose text is appended. */
int error_errno(const char *format, ...) ERROR_PRINTF(1, 2);

/* Shorthands for the two commonest classes: -EINVAL with that status. */
int error_usage(const char *format, ...) ERROR_PRINTF(1, 2);
int error_format(const char *format, ...) ERROR_PRINTF(1, 2);

/* Records that memory ran out and returns -ENOMEM. */
int error_memory(void);

/* Puts "CONTEXT: " before the recorded sentence and returns ERR unchanged. */
int error_context(int err, const char *format, ...) ERROR_PRINTF(2, 3);

/* The recorded sentence ("" if none) and status (STATUS_FAILED if none). */
const char *error_text(void);
enum status error_status(void);
void error_clear(void);

/* Copies the calling thread's record, to be put into another thread with error_put. */
struct error_record {
	enum status status;
	char text[1024];
};
void error_take(struct error_record *record);
void error_put(const struct error_record *record);

/*
 * Replaces control characters (C0, DEL and C1 in UTF-8) by question marks: what came from
 * a file must not drive a terminal, nor make two lines of one. Recorded sentences are so
 * already.
 */
void error_defuse(char *text);

/* Of two statuses the one that is reported: 6, 4, 3, 5, 7, 8, 9, 1, any other, 0. */
enum status status_worse(enum status a, enum status b);

#endif
