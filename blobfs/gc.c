/* SPDX-License-Identifier: MIT */
#include "blobfs/gc.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/names.h"
#include "blobfs/refs.h"
#include "blobfs/usage.h"

static int keep(void *context, const uint8_t *digest)
{
	struct blobfs_entry e = {0};
	memcpy(e.digest, digest, sizeof e.digest);
	return blobfs_pending_set(context, &e);
}

/* Keeps what REF leads to, and if that is a tree, the blobs that it names. */
static int keep_ref(
	struct blobfs_store *s, const struct blobfs_ref *ref, struct blobfs_pending *kept)
{
	AUTO_NAMES names = NAMES_CLOSED;
	int r = keep(kept, ref->digest);
	if (r == 0)
		r = names_load(&names, s, ref->digest);
	if (r == 0)
		r = names_blobs(&names.erofs, keep, kept);
	return r < 0 ? error_context(r, "ref %s", ref->name) : 0;
}

/* What is kept, as a set. */
static int find_kept(struct blobfs_store *s, struct blobfs_pending *kept)
{
	AUTO_BLOBFS_REFS refs = {0};
	int r = blobfs_refs_load(&refs, s);
	for (size_t i = 0; i < refs.n_refs && r == 0; i++)
		r = keep_ref(s, &refs.refs[i], kept);
	return r == 0 && refs.n_refs ? keep(kept, s->fs.refs) : r;
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
	s->space.lowest = gc->lowest;
	if (gc->lowest && r == 0)
		blobfs_space_trim(&s->space);
	if (r == 0)
		r = find_kept(s, &kept);
	if (r == 0 && kept.n_entries == 0 && !gc->allow_empty)
		r = error_usage(
			"%s: has no refs, all its blobs would go", s->device->name);
	if (r == 0)
		r = blobfs_usage_start(&usage, s->space.end / BLOBFS_BLOCK);
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
