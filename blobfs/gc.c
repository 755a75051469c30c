/* SPDX-License-Identifier: MIT */
#include "blobfs/gc.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/refs.h"
#include "blobfs/usage.h"

#define EROFS_MAGIC        0xe0f5e1e2u /* at 1024; linux/magic.h */
#define EROFS_SUPER_OFFSET 1024

/* Refuses a tree. */
static int look_at(struct blobfs_store *s, const struct blobfs_ref *ref)
{
	uint8_t magic[4];
	size_t n;
	struct blobfs_blob blob;
	int r = blobfs_open_blob(&s->fs, ref->digest, &blob);
	if (r == 0)
		r = blobfs_read(
			&s->fs, &blob, EROFS_SUPER_OFFSET, magic, sizeof magic, &n);
	if (r)
		return error_context(
			blobfs_failed(&s->fs, s->device->name, r), "ref %s", ref->name);
	if (n == sizeof magic && get_le32(magic) == EROFS_MAGIC)
		return error_format("%s: ref %s is a tree, whose blobs gc cannot tell",
			s->device->name, ref->name);
	return 0;
}

/* What is kept, as a set. */
static int find_kept(struct blobfs_store *s, struct blobfs_pending *kept)
{
	AUTO_BLOBFS_REFS refs = {0};
	int r = blobfs_refs_load(&refs, s);
	for (size_t i = 0; i < refs.n_refs && r == 0; i++) {
		struct blobfs_entry e = {0};
		memcpy(e.digest, refs.refs[i].digest, sizeof e.digest);
		r = look_at(s, &refs.refs[i]);
		if (r == 0)
			r = blobfs_pending_set(kept, &e);
	}
	struct blobfs_entry e = {0};
	memcpy(e.digest, s->fs.refs, sizeof e.digest);
	return r == 0 && refs.n_refs ? blobfs_pending_set(kept, &e) : r;
}

/* Removes what is not kept, and marks the places of what is. */
static int sort_out(struct blobfs_gc *gc, struct blobfs_store *s,
	const struct blobfs_pending *kept, struct blobfs_usage *usage)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	int r = blobfs_walk_start(&walk, &s->fs, s->device->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0) {
		r = 0;
		if (e.size == BLOBFS_TOMBSTONE)
			continue;
		if (blobfs_pending_find(kept, e.digest)) {
			gc->n_kept++;
			blobfs_usage_mark_entry(usage, &e);
			continue;
		}
		gc->n_removed++;
		e.size = BLOBFS_TOMBSTONE;
		r = blobfs_pending_set(&s->pending, &e);
	}
	blobfs_walk_stop(&walk);
	return r;
}

/* Gives free what neither is in use nor known to be free. */
static int find_free(struct blobfs_store *s, struct blobfs_usage *usage)
{
	for (uint32_t i = 0; i < s->fs.n_runs; i++)
		blobfs_usage_mark(usage, s->fs.runs[i].offset,
			s->fs.runs[i].pages * BLOBFS_BLOCK, BLOBFS_WHOLE);
	blobfs_usage_mark(
		usage, s->fs.free.offset, s->fs.free.pages * BLOBFS_BLOCK, BLOBFS_WHOLE);
	blobfs_usage_mark(usage, 0, BLOBFS_BLOCK, BLOBFS_WHOLE);
	blobfs_usage_mark(usage, BLOBFS_SUPER_B, BLOBFS_BLOCK, BLOBFS_WHOLE);
	for (size_t i = 0; i < s->space.n_extents; i++)
		blobfs_usage_mark(usage, s->space.extents[i].offset,
			s->space.extents[i].blocks * BLOBFS_BLOCK, BLOBFS_FREE);
	int r = 0;
	for (uint64_t i = 0, n; i < usage->n_blocks && r == 0; i += n + 1) {
		for (n = 0; i + n < usage->n_blocks &&
			    blobfs_usage_get(usage, i + n) == BLOBFS_UNUSED;)
			n++;
		r = blobfs_space_give(&s->space, i * BLOBFS_BLOCK, n, s->space.building);
	}
	return r;
}

int blobfs_gc(struct blobfs_gc *gc, struct blobfs_store *s)
{
	struct blobfs_pending kept = {0};
	struct blobfs_usage usage = {0};
	gc->n_kept = gc->n_removed = gc->n_free = 0;
	int r = blobfs_store_begin(s);
	if (r == 0)
		r = find_kept(s, &kept);
	if (r == 0 && kept.n_entries == 0 && !gc->allow_empty)
		r = error_usage(
			"%s: has no refs, all its blobs would go", s->device->name);
	if (r == 0)
		r = blobfs_usage_start(&usage, s->fs.used_end / BLOBFS_BLOCK);
	if (r == 0)
		r = sort_out(gc, s, &kept, &usage);
	if (r == 0)
		r = find_free(s, &usage);
	s->merge_all = true;
	if (r == 0)
		r = blobfs_store_commit(s);
	if (r == 0)
		r = blobfs_space_load(&s->space, &s->fs, s->device);
	for (size_t i = 0; i < s->space.n_extents; i++)
		gc->n_free += s->space.extents[i].blocks;
	blobfs_space_free(&s->space);
	blobfs_pending_free(&kept);
	blobfs_usage_free(&usage);
	return r;
}
