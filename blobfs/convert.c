/* SPDX-License-Identifier: MIT */
#include "blobfs/convert.h"

#include <errno.h>
#include <string.h>

#include "blobfs/export.h"
#include "blobfs/refs.h"
#include "core/hex.h"

/* So many files are open at once. */
#define BATCH 64

/* ---- from a store ------------------------------------------------------------------ */

struct intake {
	struct blobfs_store *store;
	const struct objects *objects;
	unsigned jobs;
	uint8_t digests[BATCH][OBJECTS_DIGEST];
	struct file files[BATCH];
	size_t n_open, n_added;
	struct blobfs_refs refs;
};

static int check_digest(void *context, const char *name,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size)
{
	struct intake *in = context;
	(void)size;
	if (!memcmp(digest, in->digests[in->n_added++], OBJECTS_DIGEST))
		return 0;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: %s: the contents are not what the name says", in->objects->name,
		name);
}

/* Adds the open files, which closes them. */
static int add_batch(struct intake *in)
{
	struct blobfs_add_result result = {in, check_digest};
	in->n_added = 0;
	int r = blobfs_add_files(in->store, in->files, in->n_open, in->jobs, &result);
	/* After a failure some are still open. */
	while (in->n_open > 0)
		file_close(&in->files[--in->n_open]);
	return r;
}

static int take_blob(void *context, const uint8_t *digest)
{
	struct intake *in = context;
	int r = objects_find(in->objects, digest, &in->files[in->n_open]);
	if (r < 0)
		return r;
	memcpy(in->digests[in->n_open++], digest, OBJECTS_DIGEST);
	return in->n_open == BATCH ? add_batch(in) : 0;
}

static int take_ref(void *context, const char *name, const uint8_t *digest)
{
	struct intake *in = context;
	return blobfs_refs_set(&in->refs, name, digest);
}

int blobfs_from_objects(struct blobfs_store *s, const struct objects *o, unsigned jobs)
{
	struct intake in = {.store = s, .objects = o, .jobs = jobs};
	int r = objects_list(o, take_blob, &in);
	if (r == 0 && in.n_open)
		r = add_batch(&in);
	for (size_t i = 0; i < in.n_open; i++)
		file_close(&in.files[i]);
	if (r == 0)
		r = objects_refs(o, take_ref, &in);
	if (r == 0 && in.refs.n_refs)
		r = blobfs_refs_store(&in.refs, s);
	blobfs_refs_free(&in.refs);
	return r;
}

/* ---- to a store -------------------------------------------------------------------- */

struct outlet {
	struct blobfs_store *store;
	const uint8_t *digest;
};

/*
 * The digests and sizes of all blobs, as the reader cannot walk and read at once. Refs
 * are files in a store: the blob that holds them here does not go there.
 */
static int list_blobs(struct blobfs_store *s, struct buffer *entries)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	int r = blobfs_walk_start(&walk, &s->fs, s->device->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0) {
		bool is_refs = !memcmp(e.digest, s->fs.refs, sizeof e.digest);
		r = 0;
		if (e.size != BLOBFS_TOMBSTONE && !is_refs)
			r = buffer_append(entries, &e, sizeof e);
	}
	blobfs_walk_stop(&walk);
	return r;
}

static int write_blob(void *context, const struct file *to)
{
	const struct outlet *out = context;
	return blobfs_export_fd(out->store, out->digest, to->fd, to->name);
}

static int stage_blobs(
	struct blobfs_store *s, struct span entries, struct objects_stage *stage)
{
	for (size_t at = 0; at < entries.size; at += sizeof(struct blobfs_entry)) {
		struct blobfs_entry e;
		uint8_t digest[OBJECTS_DIGEST];
		char text[OBJECTS_DIGEST_TEXT];
		memcpy(&e, entries.data + at, sizeof e);
		struct outlet out = {s, e.digest};
		int r = objects_stage_add(stage, e.size, write_blob, &out, digest);
		if (r == 0 && memcmp(digest, e.digest, OBJECTS_DIGEST))
			r = error_set(STATUS_CONTENT, EBADMSG,
				"%s: the contents of %s are not what the name says",
				s->device->name,
				hex_encode(e.digest, OBJECTS_DIGEST, text));
		if (r < 0)
			return r;
	}
	return 0;
}

int blobfs_to_objects(struct blobfs_store *s, const struct objects *o)
{
	AUTO_OBJECTS_STAGE stage = {.dirfd = -1};
	AUTO_BLOBFS_REFS refs = {0};
	BUFFER entries = {0};
	int r = list_blobs(s, &entries);
	if (r == 0)
		r = blobfs_refs_load(&refs, s);
	if (r == 0)
		r = objects_stage_open(&stage, o);
	if (r == 0)
		r = stage_blobs(s, buffer_span(&entries), &stage);
	if (r == 0)
		r = objects_stage_commit(&stage);
	for (size_t i = 0; r == 0 && i < refs.n_refs; i++)
		r = objects_ref_set(o, refs.refs[i].name, refs.refs[i].digest);
	return r;
}
