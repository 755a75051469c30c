/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_REPORT_H
#define CAIRN_VERIFIER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "core/json.h"
#include "verifier/event_log.h"

/*
 * What a verification found, all of it: checks that passed, faults, remarks, and what no
 * check covers. A report that is worth anything names the place: area, offset, block.
 */

enum finding_kind {
	FINDING_GOOD,      /* a check that passed */
	FINDING_FAULT,     /* a check that failed or could not run; has a status */
	FINDING_NOTE,      /* worth knowing, no fault */
	FINDING_UNCOVERED, /* bytes no check says anything about, and why */
};

/* Where it is. Offsets and sizes are in bytes of the image. */
struct place {
	const char *area;   /* "root partition", "primary GPT header"... */
	uint32_t partition; /* number in the table; 0: none */
	uint64_t offset;
	uint64_t size;     /* 0: no particular bytes */
	uint64_t block;    /* first block, counted in the partition's data or tree */
	uint64_t n_blocks; /* 0: not a matter of blocks */
};

struct finding {
	enum finding_kind kind;
	enum status status; /* of a fault */
	const char *check;  /* a word of docs/verify-json.md; static */
	struct place place; /* area is owned */
	char *text;         /* owned */
	json_object *where; /* owned: what the blocks are for (verifier/locate.h); or
			       NULL */
};

/* A zeroed struct is an empty report. */
struct report {
	struct finding *findings; /* owned; in the order of the checks */
	size_t n_findings, capacity;
	enum status status; /* status_worse of all faults */
	size_t n_faults;
	bool incomplete;       /* memory ran out: report_finish refuses */
	struct event_log *log; /* not owned; gets each finding when it is made; or NULL */
};

void report_free(struct report *r);
#define AUTO_REPORT __attribute__((cleanup(report_free))) struct report

/*
 * Add a finding. None of them fails: a report that memory ran out for is refused as a
 * whole by report_finish.
 */
void report_good(struct report *r, const char *check, const struct place *place,
	const char *format, ...) ERROR_PRINTF(4, 5);
void report_fault(struct report *r, enum status status, const char *check,
	const struct place *place, const char *format, ...) ERROR_PRINTF(5, 6);
void report_note(struct report *r, const char *check, const struct place *place,
	const char *format, ...) ERROR_PRINTF(4, 5);
void report_uncovered(struct report *r, const char *check, const struct place *place,
	const char *format, ...) ERROR_PRINTF(4, 5);

/* A fault that tells, with WHERE (taken; may be NULL), what the place is for. */
void report_damage(struct report *r, enum status status, const char *check,
	const struct place *place, json_object *where, const char *format, ...)
	ERROR_PRINTF(6, 7);

/*
 * A fault with the calling thread's recorded sentence and status (core/error.h). "NAME: "
 * at its beginning is left out: the report says elsewhere which file it is about.
 */
void report_error(
	struct report *r, const char *check, const struct place *place, const char *name);

/*
 * Returns 0 if there is no fault. Otherwise the first fault of the worst class is
 * recorded for NAME, with the number of others, and a negative errno returned.
 */
int report_finish(const struct report *r, const char *name);

/* How many findings of that kind there are. */
size_t report_count(const struct report *r, enum finding_kind kind);

/* A finding as report_json lists it; the caller owns the object. */
json_object *report_finding_json(const struct finding *f);

/* One line for each finding, for people, and a last one with the verdict about NAME. */
void report_print(const struct report *r, const char *name, FILE *out);

/* Adds "status", "faults", "checks", "notes" and "uncovered"; see docs/verify-json.md. */
void report_json(const struct report *r, json_object *document);

/* "AREA, block N (offset M)": what stands before a finding's text. TEXT is appended to.
 */
int place_print(const struct place *place, struct buffer *text);

#endif
