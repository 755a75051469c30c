/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_EXHIBIT_H
#define CAIRN_VERIFIER_EXAMINE_EXHIBIT_H

#include "verifier/examine/evidence.h"
#include "verifier/examine/examine.h"
#include "verifier/examine/memory.h"
#include "verifier/examine/part.h"

/*
 * A piece of evidence with what its first reading made of it, so that nothing of it is
 * believed later that is not the same: block digests, and perhaps a copy.
 */
struct exhibit {
	struct evidence evidence;
	struct part part;     /* what is shown of it */
	struct memory leaves; /* block digests of all of it (verifier/examine/pass.h) */
	struct memory copy;   /* of the part */
	bool only_hashed;     /* none of the two is made: nothing of it is shown */
	bool interop;         /* MD5 and SHA-1 are wanted of this one in any case */
};

#define EXHIBIT_NONE                                   \
	((struct exhibit){.evidence = EVIDENCE_CLOSED, \
		.leaves = MEMORY_NONE,                 \
		.copy = MEMORY_NONE})

/* Whether it is in use. */
bool exhibit_is_open(const struct exhibit *x);

/* What is done between pieces of a pass; a negative result ends it. */
struct exhibit_tick {
	int (*run)(void *context);
	void *context;
};

/* Reads it once: digests go to its record, and the rest is sealed. */
int exhibit_first_pass(struct exhibit *x, const struct examine_options *o,
	const struct exhibit_tick *tick);

/* Reads it again, and reports to REPORT what is not as it was. */
void exhibit_last_pass(struct exhibit *x, const struct examine_options *o,
	const struct exhibit_tick *tick, struct report *report);

/* May be called twice. */
void exhibit_close(struct exhibit *x);

#endif
