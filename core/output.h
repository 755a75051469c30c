/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_OUTPUT_H
#define CAIRN_CORE_OUTPUT_H

#include <sys/types.h>

#include "core/file.h"

/*
 * A file that appears atomically or not at all: written without a name (or under a
 * temporary one where the file system cannot do that), flushed, then put in place.
 * A killed process leaves nothing behind, or what was there before.
 */
struct output {
	struct file file; /* write here */
	int dirfd;
	char *path;
	bool replace;
	char temporary[24]; /* "" while the file has no name, or has that at PATH */
	/* In the child of output_commit_all: what it would have to take back. */
	enum { OUTPUT_NOT, OUTPUT_NEW, OUTPUT_EXCHANGED, OUTPUT_OVER } placed;
};

#define OUTPUT_CLOSED ((struct output){.file = FILE_CLOSED, .dirfd = -1})
#define AUTO_OUTPUT   __attribute__((cleanup(output_close))) struct output

/*
 * Prepares PATH with MODE (the umask applies). What exists is refused with -EEXIST
 * unless REPLACE; other than regular files are never replaced.
 */
int output_open(struct output *o, const char *path, mode_t mode, bool replace);

/* Flushes and puts the file in place; the struct stays open for reading. */
int output_commit(struct output *o);

/*
 * The same for N files that belong together: all are flushed first, and then put in
 * place in this order, by a child that goes on if this process is killed meanwhile: all
 * of them appear or none (unless the machine stops), and if one cannot be placed, what
 * the others replaced is put back (where the file system can exchange two files). Those
 * not open are left out.
 */
int output_commit_all(struct output *outputs, size_t n);

/* Discards what was not committed; may be called twice. */
void output_close(struct output *o);

/* The three steps for contents that are at hand. */
int output_save(const char *path, mode_t mode, bool replace, struct span contents);

#endif
