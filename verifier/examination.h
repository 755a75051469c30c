/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINATION_H
#define CAIRN_VERIFIER_EXAMINATION_H

#include <sys/utsname.h>
#include <time.h>

#include "verifier/acquisition.h"
#include "verifier/report.h"

/*
 * What one run of `cairn examine` did, saw, and did not look at: filled by
 * examine_run (verifier/examine/examine.h), written by the functions below. A zeroed
 * struct is an examination that did not begin. Everything a report may want is in here;
 * verdicts are in `report`, whose findings name the check they come from.
 */

/* A file's attributes, as stat(2) gives them. */
struct file_state {
	uint64_t device, inode; /* device: as st_dev */
	uint64_t size, blocks;  /* bytes; units of 512 bytes */
	uint32_t mode, uid, gid;
	uint64_t n_links;
	struct timespec atime, mtime, ctime;
};

/* Digests of all bytes of a file. What was not computed has size 0 or is NULL. */
struct file_digests {
	bool done;
	uint64_t bytes; /* that were hashed */
	uint8_t sha256[32];
	bool interop; /* the next two are there as well */
	uint8_t md5[16], sha1[20];
	uint64_t piece_size; /* bytes; 0: no piecewise hashes */
	uint64_t n_pieces;
	uint8_t (*pieces)[32];   /* SHA-256 of each piece; owned */
	uint32_t block_size;     /* of the Merkle tree, bytes; 0: there is no tree */
	uint8_t merkle_root[32]; /* SHA-256, no salt, dm-verity version 1 */
};

/* How a part of a file was shown to the kernel. */
enum view_kind {
	VIEW_NONE,
	VIEW_SEALED,     /* a copy in sealed memory, made while the tree was */
	VIEW_VERIFIED,   /* read through FUSE, each block checked against the tree */
	VIEW_FIRST_READ, /* the same, but against what its first read gave */
};

/* A file that is evidence, and the loop device that showed it. */
struct examined_file {
	char *path;       /* as it was named; owned; NULL: there is no such file */
	const char *role; /* "image", "journal" or "segment" */
	const char *backing_type; /* file system it lies on, "" if not known; static */
	uint64_t offset, size;    /* bytes that were shown */
	enum view_kind view;
	char loop[24];     /* "/dev/loop7"; "" if none was set up */
	uint64_t diskseq;  /* of that device */
	uint64_t verified; /* bytes handed out by the verifying file */
	struct file_state before, after;
	struct file_digests first, last; /* before and after COMMAND */
};

/* What a case file wants to be told; not owned, NULL where nothing was given. */
struct custody {
	const char *case_number, *evidence, *examiner, *notes;
};

/* Something found in the image: a partition, or all of a file that has none. */
struct examined_area {
	uint32_t number;       /* in the partition table; 0: the whole file */
	uint64_t offset, size; /* bytes, inside the file */
	char type[32];         /* as blkid names it; "" if it is not known */
	char name[112];        /* as a GPT names it; "" if it has none */
};

#define EXAMINED_FILES 2 /* the image, and its external journal */

struct examination {
	struct custody custody;
	const char *const *invocation; /* our command line from the verb on; not owned */
	struct utsname kernel;         /* and the machine's name; "" each if not known */
	uint32_t uid;                  /* who ran it */
	struct examined_area *areas;   /* owned; by their offsets */
	size_t n_areas;
	struct examined_file files[EXAMINED_FILES];
	struct examined_file *segments; /* owned: files the image is in, if several */
	size_t n_segments;
	struct acquisition acquisition; /* what its container says */
	uint32_t partition;             /* number in the table; 0: the whole file */
	char file_system[32];    /* "ext4", "crypto_LUKS"...; "" if nothing was found */
	bool lists_deleted;      /* deleted files are among those that are listed */
	char *mount_options;     /* those it was mounted with; NULL: not mounted; owned */
	char *replay_options;    /* of the replayed copy; NULL: there was none; owned */
	uint64_t replay_written; /* bytes the replay wrote, all to the copy */
	const char *const *argv; /* COMMAND; NULL: nothing was run */
	bool ran;                /* COMMAND was started, and ended by itself: */
	int command_status;      /* its exit status, or 128 + its signal */
	struct timespec start, end; /* UTC */
	/* Durations in microseconds: hashing aside, to the usable mount; after COMMAND.
	 */
	uint64_t setup_us, teardown_us;
	struct report report; /* verdicts; `status` in it is that of the examination */
	struct event_log log; /* what happened, and when */
};

#define AUTO_EXAMINATION __attribute__((cleanup(examination_free))) struct examination

/* May be called twice. */
void examination_free(struct examination *e);

/* What content of TYPE is, in words: "LUKS, encrypted"; TYPE itself where that will do.
 */
const char *area_describe(const char *type);

/* Whether this is the area that COMMAND was shown. */
bool area_was_shown(const struct examination *e, const struct examined_area *area);

#define EXAMINATION_TIME 40

/* T as RFC 3339 has it, UTC, nanoseconds, into TEXT, which it returns. */
const char *examination_time(struct timespec t, char text[EXAMINATION_TIME]);

/* "sealed memory", "verifying file"...: how reports name a view. */
const char *view_name(enum view_kind kind);

/*
 * The report as JSON (members: docs/forensics.md), added to DOCUMENT, and as text for
 * people, appended to TEXT.
 */
void examination_json(const struct examination *e, json_object *document);
int examination_text(const struct examination *e, struct buffer *text);

/* The same as a page for people (verifier/page.h), appended to HTML. */
int examination_page(const struct examination *e, struct buffer *html);

#endif
