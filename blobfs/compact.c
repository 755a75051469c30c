/* SPDX-License-Identifier: MIT */
#include "blobfs/compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/add.h"
#include "core/progress.h"

/* Blobs that are to be moved. */
struct moving {
	struct blobfs_entry *entries;
	size_t n_entries;
	size_t capacity;
};

static int append(struct moving *m, const struct blobfs_entry *e)
{
	if (m->n_entries == m->capacity) {
		size_t capacity = m->capacity ? 2 * m->capacity : 256;
		void *larger = reallocarray(m->entries, capacity, sizeof *m->entries);
		if (!larger)
			return error_memory();
		m->entries = larger;
		m->capacity = capacity;
	}
	m->entries[m->n_entries++] = *e;
	return 0;
}

/* Where a blob begins, for an order: its blocks, or where it is packed. */
static uint64_t place(const struct blobfs_entry *e)
{
	return e->data ? e->data : e->tail;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = place(a), y = place(b);
	return x < y ? -1 : x > y;
}

/* All blobs with a part that is not below FROM, in the order of their places. */
static int collect(struct moving *m, struct blobfs_store *s, uint64_t from)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	int r = blobfs_walk_start(&walk, &s->fs, s->device->name, NULL, 0, s->fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0) {
		r = 0;
		if (e.size != BLOBFS_TOMBSTONE &&
			(e.data >= from || e.tail >= from || e.tree >= from))
			r = append(m, &e);
	}
	blobfs_walk_stop(&walk);
	if (r == 0 && m->n_entries)
		qsort(m->entries, m->n_entries, sizeof *m->entries, by_place);
	return r;
}

struct copied {
	struct blobfs_store *store;
	struct blobfs_blob blob;
};

static int read_blob(void *context, uint64_t offset, void *data, size_t size)
{
	struct copied *c = context;
	size_t n;
	int r = blobfs_read(&c->store->fs, &c->blob, offset, data, size, &n);
	return r ? blobfs_failed(&c->store->fs, c->store->device->name, r) : 0;
}

/* A new copy, verified as it is read, of which the next state knows alone. */
static int copy(struct blobfs_store *s, const struct blobfs_entry *e)
{
	struct copied c = {.store = s};
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	int r = blobfs_open_entry(&s->fs, e, &c.blob);
	if (r)
		return blobfs_failed(&s->fs, s->device->name, r);
	struct blobfs_source source = {&c, e->size, read_blob};
	return blobfs_add(s, &source, 0, digest);
}

static int read_by_somebody(const struct blobfs_store *s)
{
	return error_set(STATUS_FAILED, EBUSY,
		"%s: somebody reads it, so that nothing in it can be moved",
		s->device->name);
}

/* Moves what is not below FROM: behind all there is, or to the lowest free places. */
static int move(struct blobfs_store *s, uint64_t from, bool behind)
{
	struct moving m = {0};
	int r = collect(&m, s, from);
	if (r == 0 && m.n_entries)
		r = blobfs_store_begin(s);
	if (r == 0 && m.n_entries && !behind && !s->space.reuse)
		r = read_by_somebody(s);
	s->rewrite = true;
	s->space.lowest = !behind;
	if (behind)
		s->space.reuse = false;
	for (size_t i = 0; i < m.n_entries && r == 0; i++)
		r = copy(s, &m.entries[i]);
	free(m.entries);
	return r < 0 ? r : blobfs_store_commit(s);
}

/*
 * Lets N states pass, each with its index and free list as low as can be. What the first
 * finds unused can be used in the third: a crash could bring back the one before.
 */
static int pass(struct blobfs_gc *gc, struct blobfs_store *s, unsigned n)
{
	struct blobfs_gc again = {.allow_empty = true, .lowest = true};
	int r = 0;
	while (r == 0 && n-- > 0)
		r = blobfs_gc(&again, s);
	gc->n_free = again.n_free;
	return r;
}

/* Cuts the file once neither superblock counts on what is cut off. */
static int cut(struct blobfs_gc *gc, struct blobfs_store *s)
{
	struct blobfs_device *d = s->device;
	uint64_t end = 0;
	int r = 0;
	for (unsigned i = 0; i < 8 && r == 0 && end != s->fs.used_end; i++) {
		end = s->fs.used_end;
		r = pass(gc, s, 1);
	}
	bool grows = d->is_file && s->fs.compatible & BLOBFS_COMPATIBLE_GROWS;
	if (r < 0 || !grows || end != s->fs.used_end || d->size <= end ||
		d->has_readers(d->context))
		return r;
	r = d->resize(d->context, end);
	if (r == 0)
		d->size = end;
	return r;
}

int blobfs_compact(struct blobfs_gc *gc, struct blobfs_store *s)
{
	if (s->device->has_readers(s->device->context))
		return read_by_somebody(s);
	int r = blobfs_gc(gc, s);
	uint64_t behind = s->fs.used_end;
	if (r == 0)
		r = move(s, 0, true);
	if (r == 0)
		r = pass(gc, s, 2);
	/* What found no place that is large enough lands behind the copies: once more. */
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		r = move(s, behind, false);
		if (r == 0)
			r = pass(gc, s, 2);
	}
	return r < 0 ? r : cut(gc, s);
}
