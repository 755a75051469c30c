/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BLOBFS_OBJECTS_H
#define CAIRN_BLOBFS_OBJECTS_H

#include <stdatomic.h>

#include "core/file.h"

/*
 * A directory of blobs, each a read-only file named by its fs-verity digest (sha256, 4096
 * bytes, no salt):
 *     objects/ab/cdef...   the blobs, as composefs has them
 *     refs/NAME            a digest as hex and a newline; '%' stands for '/'
 *     staging/             blobs on their way in
 *     lock
 * fs-verity is enabled on a blob where the file system can. Blobs are staged, flushed
 * together and only then renamed into place: a crash leaves whole blobs or none. Any
 * number of processes may add and read at once (a shared lock); collecting garbage
 * excludes them (an exclusive one, with a time-out).
 */

#define OBJECTS_DIGEST      32
#define OBJECTS_DIGEST_TEXT (2 * OBJECTS_DIGEST + 1)

enum objects_mode {
	OBJECTS_READ,
	OBJECTS_ADD,     /* is created if it does not exist */
	OBJECTS_COLLECT, /* alone */
};

struct objects {
	char *name;       /* as given; for messages */
	int dirfd;        /* of the store */
	int objects;      /* of objects/ */
	struct file lock; /* held while it is open */
};

#define OBJECTS_CLOSED ((struct objects){.dirfd = -1, .objects = -1, .lock = FILE_CLOSED})
#define AUTO_OBJECTS   __attribute__((cleanup(objects_close))) struct objects

/* Opens the store DIR. Another process collecting for 10 s: STATUS_TIMEOUT. */
int objects_open(struct objects *o, const char *dir, enum objects_mode mode);
void objects_close(struct objects *o);

/* ---- reading ---- */

/*
 * Opens a blob; nothing of it has been checked. -ENOENT, STATUS_FAILED, if there is none,
 * which the caller may expect.
 */
int objects_find(const struct objects *o, const uint8_t *digest, struct file *f);

/*
 * Compares a blob with its name: 0 if good, 1 if its contents are others (then recorded,
 * with STATUS_CONTENT).
 */
int objects_verify(const struct objects *o, const uint8_t *digest, unsigned jobs);

/*
 * Copies a blob to OUT (empty, open for writing), by reference where the file system can,
 * and hashes the copy: what is then in OUT is what was checked. -EBADMSG,
 * STATUS_CONTENT, if it is not what its name says.
 */
int objects_copy(const struct objects *o, const uint8_t *digest, const struct file *out);

/* Appends a blob of at most LIMIT bytes to B, checked. */
int objects_read(
	const struct objects *o, const uint8_t *digest, size_t limit, struct buffer *b);

/*
 * Calls FOUND for each blob, sorted by digest. What FOUND returns other than 0 ends it.
 * A file in objects/ that is named otherwise is refused with STATUS_FORMAT.
 */
int objects_list(const struct objects *o,
	int (*found)(void *context, const uint8_t *digest), void *context);

/* Removes a blob; the store was opened with OBJECTS_COLLECT. */
int objects_remove(const struct objects *o, const uint8_t *digest);

/* ---- adding ---- */

struct objects_stage {
	const struct objects *store;
	int dirfd;
	char name[24];
	atomic_uint_fast64_t next; /* for temporary names */
	atomic_uint_fast64_t n_known, n_added;
	atomic_int verity; /* 1: enabled so far; 0: the file system cannot */
};

#define AUTO_OBJECTS_STAGE \
	__attribute__((cleanup(objects_stage_close))) struct objects_stage

int objects_stage_open(struct objects_stage *s, const struct objects *o);

/*
 * Fills a new file by WRITE, hashes what is in it, and stages it unless the store has it.
 * Of SIZE bytes, holes included. From any number of threads.
 */
int objects_stage_add(struct objects_stage *s, uint64_t size,
	int (*write)(void *context, const struct file *to), void *context,
	uint8_t digest[OBJECTS_DIGEST]);

/* The same for bytes at hand, and for a file (by reference where that works). */
int objects_stage_span(
	struct objects_stage *s, struct span data, uint8_t digest[OBJECTS_DIGEST]);
int objects_stage_file(
	struct objects_stage *s, const struct file *f, uint8_t digest[OBJECTS_DIGEST]);

/* Flushes, and puts all that was staged into place. */
int objects_stage_commit(struct objects_stage *s);

/* Discards what was not committed; may be called twice. */
void objects_stage_close(struct objects_stage *s);

/* What killed processes left staged; the store was opened with OBJECTS_COLLECT. */
int objects_clean_staging(const struct objects *o);

/* ---- refs ---- */

/* Names as in an image (docs/blobfs-format.md); '/' is '%' in the file's name. */
int objects_ref_set(
	const struct objects *o, const char *name, const uint8_t digest[OBJECTS_DIGEST]);
/* -ENOENT, STATUS_FAILED, if there is none. */
int objects_ref_get(
	const struct objects *o, const char *name, uint8_t digest[OBJECTS_DIGEST]);
int objects_ref_delete(const struct objects *o, const char *name);
int objects_refs(const struct objects *o,
	int (*found)(void *context, const char *name, const uint8_t *digest),
	void *context);

/* DIGEST from hex, "sha256:" and "ab/cdef..." allowed; -1 if TEXT is none of these. */
int objects_parse(const char *text, uint8_t digest[OBJECTS_DIGEST]);

#endif
