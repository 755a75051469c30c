/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_SHOWING_H
#define CAIRN_VERIFIER_EXAMINE_SHOWING_H

#include "verifier/examine/evidence.h"
#include "verifier/examine/loop_device.h"
#include "verifier/examine/traces.h"
#include "verifier/examine/view.h"

/*
 * All that is set up between evidence and COMMAND: per file a view of it and a loop
 * device over that, then the mount; and the same once more for a replayed copy.
 */
struct shown {
	struct evidence *evidence; /* NULL: this one is not in use */
	struct view view;
	struct loop_device loop;
	bool is_copy;  /* writes go to memory, and are no fault */
	bool told_bad; /* what a watch reported once is not reported again: */
	bool told_moved;
};

enum {
	SHOWN_IMAGE,
	SHOWN_JOURNAL,
	SHOWN_IMAGE_COPY,
	SHOWN_JOURNAL_COPY,
	N_SHOWN,
};

struct showing {
	struct shown shown[N_SHOWN];
	int mount, replayed; /* detached mounts; -1: there is none */
	struct traces traces;
	int opens;   /* tells who opens our loop devices; -1: cannot be told */
	bool opened; /* somebody did, after the self-check */
	bool told_settings, told_unknown;
};

/* Nothing is shown yet; what others do to loop devices is soon listened to. */
void showing_start(struct showing *s);

/* The first thing to call after that: what cannot be listened to is reported. */
void showing_listen(struct showing *s, struct report *report);

/* What EVIDENCE is shown through. MEMORY (NULL: none) holds a sealed copy of the part. */
int showing_add(struct showing *s, unsigned which, struct evidence *evidence,
	const struct view_source *source, const struct memory *memory);

/* Mounts the image, tries to write to it, and restricts the mount to ATTRIBUTES. */
int showing_mount(struct showing *s, const char *type, uint64_t attributes,
	struct report *report, struct buffer *options);

/* Mounts the copy with recovery. */
int showing_replay(
	struct showing *s, const char *type, uint64_t attributes, struct buffer *options);

/*
 * A look while COMMAND runs: faults that can be seen now go to REPORT, each once. Cheap
 * enough for hundreds of times a second.
 */
void showing_watch(struct showing *s, struct report *report);

/* The last look: what is as it should be is reported too. */
void showing_compare(struct showing *s, struct report *report);

/* Unmounts and detaches everything, in order. May be called twice. */
void showing_end(struct showing *s);

/* Stops to listen, after showing_end; this can take the kernel 100 ms. */
void showing_free(struct showing *s);

/* After showing_end: reports a loop device that still has its file. */
void showing_check_ended(struct showing *s, struct report *report);

#endif
