/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_CONTAINER_H
#define CAIRN_VERIFIER_EXAMINE_CONTAINER_H

#include <stdatomic.h>

#include "verifier/examine/exhibit.h"
#include "verifier/examine/segments.h"

/*
 * An image in several files, or in a format of its own: split raw images, and EWF (E01).
 * A confined process gives its bytes as a file that takes the image's place; each segment
 * is evidence of its own, watched and hashed like any other.
 */
enum container_kind {
	CONTAINER_NONE,
	CONTAINER_SPLIT,
	CONTAINER_EWF,
};

#define CONTAINER_DAMAGE_MAX 4096

/* Told by the process that reads, in memory that both have: not to be trusted. */
struct container_damage {
	atomic_uint_fast64_t n; /* places; only so many of them are listed: */
	struct {
		uint64_t offset, size; /* bytes of the media */
	} places[CONTAINER_DAMAGE_MAX];
};

struct container {
	enum container_kind kind;
	struct exhibit *segments; /* owned */
	size_t n_segments;
	struct container_damage *damage;
	pid_t server; /* 0: there is none, or none any more */
	int ended;    /* its status as of waitpid(2), once it ended by itself */
};

#define CONTAINER_CLOSED ((struct container){.kind = CONTAINER_NONE})

/*
 * Looks whether PATH is (the first of) a container's, and of which kind. STATUS_FORMAT if
 * a segment is missing, STATUS_USAGE if PATH is one in the middle.
 */
int container_find(
	const char *path, enum container_kind *kind, struct segments *segments);

/*
 * Opens all segments, noting them in E->segments, and starts the process that reads: then
 * MEDIA is the image's bytes, as RECORD, and E->acquisition what the container says.
 */
int container_open(struct container *c, enum container_kind kind,
	const struct segments *segments, struct evidence *media,
	struct examined_file *record, struct examination *e);

/* Whether the process that reads is still there. */
bool container_lives(struct container *c);

/*
 * What was damaged, whether the process died, and whether the digests of MEDIA are those
 * that are stored in the container: goes to E->report.
 */
void container_compare(
	struct container *c, const struct examined_file *media, struct examination *e);

/* May be called twice. */
void container_close(struct container *c);

/* ---- between container.c and container_server.c ---------------------------------------
 */

struct container_server {
	enum container_kind kind;
	const struct file *files; /* the segments */
	size_t n_files;
	int device; /* /dev/fuse */
	int facts;  /* a pipe: gets a struct container_facts */
	struct container_damage *damage;
	uint64_t size; /* of the media, bytes */
};

/* What is known once the container is open. */
struct container_facts {
	enum status status; /* not STATUS_GOOD: it cannot be read: */
	char text[1024];
	struct acquisition acquisition;
};

/*
 * Makes of them, which may be the container's by now, what can be one's: texts end, and
 * what is known of C is as it is known. STATUS_FORMAT, with their words, if the container
 * cannot be read.
 */
int container_believe(const struct container *c, struct container_facts *facts);

/* Opens, tells, and answers until the file system is gone; returns the exit status. */
int container_server_run(struct container_server *s);

#endif
