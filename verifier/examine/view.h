/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_VIEW_H
#define CAIRN_VERIFIER_EXAMINE_VIEW_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "verifier/examine/pass.h"

/*
 * Part of a file as a file of its own, to be put under a loop device, whose every byte is
 * what it was when the block digests were made: a copy in sealed memory, or a file that a
 * process of ours serves through FUSE and checks at each read. A block that is not what
 * it was gives EIO, and is counted.
 */

/* What the serving process tells, in memory that both have. */
struct view_counts {
	atomic_uint_fast64_t verified;  /* bytes handed out */
	atomic_uint_fast64_t bad;       /* reads of blocks that were not as before */
	atomic_uint_fast64_t bad_block; /* the first of these */
	atomic_uint_fast64_t failed;    /* reads that the file system below refused */
	atomic_uint_fast64_t written;   /* bytes, all into the copy */
};

struct view_source {
	const struct file *file;
	uint64_t offset, size; /* the part that is shown, bytes */
	uint32_t block_size;   /* of `leaves`, which are over all of the file */
	struct memory *leaves; /* block digests; zeros are unknown with first_read */
	bool first_read;       /* unknown digests are those of the first read */
	bool writable;         /* changes are kept in memory, never in `file` */
};

struct view {
	int fd; /* the file; -1: there is none */
	enum view_kind kind;
	struct view_counts *counts; /* NULL where nobody serves */
	pid_t server;               /* 0: there is none */
};

#define VIEW_CLOSED ((struct view){.fd = -1})

/* A view that is served; the process is killed with us. */
int view_serve(struct view *v, const struct view_source *source);

/* A view of memory that is sealed already, with a descriptor of its own. */
int view_of_memory(struct view *v, const struct memory *memory);

/* Ends it; nothing may use it any more. May be called twice. */
void view_close(struct view *v);

/* ---- between view.c and view_server.c ------------------------------------------------
 */

struct view_server {
	struct view_source source;
	struct view_counts *counts;
	int device;           /* /dev/fuse */
	pthread_mutex_t lock; /* of `leaves` with first_read, of the overlay */
	int overlay;          /* what was written; a file in memory; -1: read-only */
	uint8_t *written;     /* one per block: whether it is in the overlay */
};

/* Answers until the file system is gone; returns the exit status. */
int view_server_run(struct view_server *s);

#endif
