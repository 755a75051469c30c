/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_EXAMINE_H
#define CAIRN_VERIFIER_EXAMINE_EXAMINE_H

#include "verifier/examination.h"

/*
 * Looking into a file system image without changing it, and showing that it did not
 * change; docs/forensics.md tells the steps and what each can and cannot see.
 */
struct examine_options {
	struct custody custody;        /* for the report only */
	const char *const *invocation; /* our command line; ends with NULL */
	const char *image;
	bool single;              /* `image` is one file, whatever its name */
	const char *journal;      /* the external journal's file; NULL: there is none */
	uint32_t partition;       /* number in the table; 0: see part_find */
	const char *type;         /* file system; NULL: as it looks */
	bool seal;                /* a copy in sealed memory, however large */
	uint64_t seal_limit;      /* up to this many bytes such a copy is made unasked */
	bool no_hash_before;      /* the first pass is left out */
	bool interop;             /* MD5 and SHA-1 as well */
	uint64_t piece_size;      /* of piecewise hashes, bytes; 0: none */
	bool replay_copy;         /* also show a copy with its journal replayed */
	bool exec, suid, dev;     /* the mount allows programs, set-user-ID, devices */
	const char *dir;          /* an existing directory to mount on */
	const char *const *argv;  /* COMMAND, ends with NULL */
	const struct file *files; /* empty; gets DFXML of all files; NULL: no list */
	bool stdout_to_stderr;    /* of COMMAND */
};

/*
 * Does all of it and fills in E, which must be zeroed. A negative result is about what
 * could not even begin (options, privileges, no such file); all else, the status too, is
 * in E->report. In both cases E is to be freed.
 */
int examine_run(const struct examine_options *o, struct examination *e);

#endif
