/* SPDX-License-Identifier: MIT */
/* The store's most delicate part: in which order a new state gets onto the device. */
#include <errno.h>
#include <string.h>

#include "blobfs/store.h"

#define MERGE_RATIO \
	8 /* a run is merged with older ones of up to so many times its pages */

/* The next state, as the superblock will say it. */
struct state {
	uint32_t n_runs;
	struct blobfs_run runs[BLOBFS_MAX_RUNS];
	struct blobfs_run free;
	uint64_t free_entries;
	uint8_t uuid[16];
};

/* How many of the runs, the newest first, go into the new one; *PAGES it needs at most.
 */
static uint32_t choose_merge(const struct blobfs_store *s, uint64_t *pages)
{
	uint32_t n = 0;
	*pages = u64_div_up(s->pending.n_entries, BLOBFS_PAGE_ENTRIES);
	while (n < s->fs.n_runs &&
		(s->merge_all || s->fs.runs[n].pages <= MERGE_RATIO * *pages ||
			s->fs.n_runs - n >= BLOBFS_MAX_RUNS))
		*pages += s->fs.runs[n++].pages;
	return n;
}

struct run_writer {
	struct blobfs_store *store;
	struct blobfs_run run;
	uint32_t count;
	uint8_t page[BLOBFS_BLOCK];
};

static int write_page(struct run_writer *w)
{
	struct blobfs_page *p = (void *)w->page;
	if (w->count == 0)
		return 0;
	memcpy(p->magic, BLOBFS_INDEX_MAGIC, BLOBFS_MAGIC_SIZE);
	put_le32(p->count, w->count);
	int r = blobfs_seal(w->page);
	if (r == 0)
		r = blobfs_writer_write(&w->store->writer,
			w->run.offset + w->run.pages * BLOBFS_BLOCK, w->page,
			sizeof w->page);
	w->run.pages++;
	w->count = 0;
	memset(w->page, 0, sizeof w->page);
	return r;
}

static int write_entry(struct run_writer *w, const struct blobfs_entry *e)
{
	struct blobfs_disk_entry *first = (void *)(w->page + sizeof(struct blobfs_page));
	blobfs_put_entry(e, first + w->count++);
	return w->count == BLOBFS_PAGE_ENTRIES ? write_page(w) : 0;
}

/* Writes the pending entries and N_MERGED runs as one run. */
static int write_run(struct blobfs_store *s, uint32_t n_merged, struct run_writer *w)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	bool is_last = n_merged == s->fs.n_runs;
	int r = blobfs_walk_start(&walk, &s->fs, s->device->name, s->pending.entries,
		s->pending.n_entries, n_merged);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0)
		/* With nothing older left a tombstone has nothing to hide. */
		r = is_last && e.size == BLOBFS_TOMBSTONE ? 0 : write_entry(w, &e);
	blobfs_walk_stop(&walk);
	return r < 0 ? r : write_page(w);
}

static int give_run(struct blobfs_store *s, const struct blobfs_run *run)
{
	return blobfs_space_give(&s->space, run->offset, run->pages, s->space.building);
}

static int write_index(struct blobfs_store *s, struct state *next)
{
	uint64_t pages;
	next->n_runs = s->fs.n_runs;
	memcpy(next->runs, s->fs.runs, sizeof next->runs);
	if (s->pending.n_entries == 0 && !s->merge_all)
		return 0;
	uint32_t n_merged = choose_merge(s, &pages);
	struct run_writer w = {.store = s};
	blobfs_pending_sort(&s->pending);
	int r = blobfs_space_take(&s->space, pages, &w.run.offset);
	if (r == 0)
		r = write_run(s, n_merged, &w);
	if (r == 0)
		r = blobfs_space_give(&s->space,
			w.run.offset + w.run.pages * BLOBFS_BLOCK, pages - w.run.pages,
			0);
	for (uint32_t i = 0; i < n_merged && r == 0; i++)
		r = give_run(s, &s->fs.runs[i]);
	uint32_t n_new = w.run.pages > 0;
	next->n_runs = s->fs.n_runs - n_merged + n_new;
	memset(next->runs, 0, sizeof next->runs);
	next->runs[0] = w.run;
	memcpy(next->runs + n_new, s->fs.runs + n_merged,
		(s->fs.n_runs - n_merged) * sizeof next->runs[0]);
	return r;
}

/* Writes the free list, into a place that is then not in it any more. */
static int write_free(struct blobfs_store *s, struct state *next)
{
	int r = give_run(s, &s->fs.free);
	if (r < 0 || s->space.n_extents == 0)
		return r;
	/* A page too many, because taking them ended an extent, is left to gc. */
	uint64_t pages = blobfs_space_pages(&s->space);
	r = blobfs_space_take(&s->space, pages, &next->free.offset);
	if (r == 0)
		r = blobfs_space_save(&s->space, s->device, next->free.offset, pages,
			&next->free_entries, &next->free.pages);
	return r;
}

static void put_runs(
	struct blobfs_disk_run *disk, const struct blobfs_run *runs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		put_le64(disk[i].offset, runs[i].offset);
		put_le64(disk[i].pages, runs[i].pages);
	}
}

static int write_super(const struct blobfs_store *s, const struct state *next,
	uint64_t generation, uint64_t device_size, uint64_t offset)
{
	uint8_t block[BLOBFS_BLOCK] = BLOBFS_MAGIC;
	struct blobfs_super *super = (void *)block;
	put_le32(super->version, BLOBFS_VERSION);
	put_le32(super->header_size, sizeof *super);
	super->block_log2 = BLOBFS_BLOCK_LOG2;
	super->hash_algorithm = BLOBFS_HASH_SHA256;
	put_le16(super->n_runs, (uint16_t)next->n_runs);
	put_le64(super->compatible, s->fs.compatible);
	put_le64(super->ro_compatible, s->fs.ro_compatible);
	memcpy(super->uuid, next->uuid, sizeof super->uuid);
	put_le64(super->generation, generation);
	put_le64(super->device_size, device_size);
	put_le64(super->used_end, s->space.end);
	put_le64(super->free_entries, next->free_entries);
	put_runs(&super->free, &next->free, 1);
	memcpy(super->refs, s->refs, sizeof super->refs);
	put_runs(super->runs, next->runs, next->n_runs);
	int r = blobfs_seal(block);
	return r < 0 ? r
		     : s->device->write(s->device->context, offset, block, sizeof block);
}

/* A new image without a UUID gets one of its contents: the same blobs, the same bytes. */
static int choose_uuid(const struct blobfs_store *s, struct state *next)
{
	static const uint8_t none[16];
	uint8_t digest[BLOBFS_DIGEST_SIZE] = {0};
	memcpy(next->uuid, s->fs.uuid, sizeof next->uuid);
	if (!s->fresh || memcmp(next->uuid, none, sizeof none) != 0)
		return 0;
	for (size_t i = 0; i < s->pending.n_entries; i++) {
		struct span parts[] = {SPAN(digest), SPAN(s->pending.entries[i].digest)};
		int r = hash_parts(HASH_SHA256, parts, 2, digest);
		if (r < 0)
			return r;
	}
	memcpy(next->uuid, digest, sizeof next->uuid);
	/* RFC 9562: version 8, made as its maker likes. */
	next->uuid[6] = (uint8_t)((next->uuid[6] & 0x0f) | 0x80);
	next->uuid[8] = (uint8_t)((next->uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int fit_device(struct blobfs_store *s, uint64_t *device_size)
{
	struct blobfs_device *d = s->device;
	*device_size = s->space.grows ? s->space.end : s->space.limit;
	if (!d->is_file || (d->size >= *device_size && !s->fresh))
		return *device_size > d->size
			       ? error_set(STATUS_FAILED, ENOSPC,
					 "%s: the device is too small", d->name)
			       : 0;
	int r = d->resize(d->context, *device_size);
	if (r == 0)
		d->size = *device_size;
	return r;
}

/* The last step: the superblock that does not count becomes the one that does. */
static int write_supers(
	struct blobfs_store *s, const struct state *next, uint64_t device_size)
{
	struct blobfs_device *d = s->device;
	uint64_t generation = s->space.building;
	uint64_t offset = generation % 2 ? BLOBFS_SUPER_B : 0;
	int r = write_super(s, next, generation, device_size, offset);
	if (r == 0 && s->fresh)
		r = write_super(s, next, generation, device_size, 0);
	return r < 0 ? r : d->flush(d->context);
}

int blobfs_store_commit(struct blobfs_store *s)
{
	struct state next = {0};
	uint64_t device_size;
	if (!s->fresh && s->pending.n_entries == 0 && !s->refs_changed && !s->merge_all)
		return 0;
	/* Nothing may refer to what is not durable yet, hence three flushes. */
	int r = blobfs_writer_finish(&s->writer);
	if (r == 0)
		r = s->device->flush(s->device->context);
	if (r == 0)
		r = write_index(s, &next);
	if (r == 0)
		r = blobfs_writer_finish(&s->writer);
	if (r == 0)
		r = write_free(s, &next);
	if (r == 0)
		r = choose_uuid(s, &next);
	if (r == 0)
		r = fit_device(s, &device_size);
	if (r == 0)
		r = s->device->flush(s->device->context);
	if (r == 0)
		r = write_supers(s, &next, device_size);
	if (r < 0)
		return r;
	struct blobfs_device *device = s->device;
	blobfs_store_close(s);
	return blobfs_store_open(s, device);
}
