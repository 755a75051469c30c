/* SPDX-License-Identifier: MIT */
#include "blobfs/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAGES 16

void blobfs_space_free(struct blobfs_space *s)
{
	free(s->extents);
	*s = (struct blobfs_space){0};
}

static void remove_extent(struct blobfs_space *s, size_t at)
{
	s->n_extents--;
	memmove(s->extents + at, s->extents + at + 1,
		(s->n_extents - at) * sizeof *s->extents);
}

static int insert_extent(struct blobfs_space *s, size_t at, struct blobfs_extent e)
{
	if (s->n_extents == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 64;
		void *larger = reallocarray(s->extents, capacity, sizeof *s->extents);
		if (!larger)
			return error_memory();
		s->extents = larger;
		s->capacity = capacity;
	}
	memmove(s->extents + at + 1, s->extents + at,
		(s->n_extents - at) * sizeof *s->extents);
	s->extents[at] = e;
	s->n_extents++;
	return 0;
}

/* A crash, or damage to a superblock, may still bring back the generation before. */
static bool is_usable(const struct blobfs_space *s, const struct blobfs_extent *e)
{
	return e->generation == 0 || (s->reuse && e->generation < s->building &&
					     s->building - e->generation >= 2);
}

static uint64_t end_of(const struct blobfs_extent *e)
{
	return e->offset + e->blocks * BLOBFS_BLOCK;
}

void blobfs_space_join(struct blobfs_space *s)
{
	for (size_t i = 1; i < s->n_extents; i++) {
		struct blobfs_extent *a = &s->extents[i - 1], *b = a + 1;
		if (end_of(a) != b->offset || !is_usable(s, a) || !is_usable(s, b))
			continue;
		if (b->generation > a->generation)
			a->generation = b->generation;
		a->blocks += b->blocks;
		remove_extent(s, i--);
	}
}

void blobfs_space_trim(struct blobfs_space *s)
{
	while (s->n_extents) {
		const struct blobfs_extent *last = &s->extents[s->n_extents - 1];
		if (end_of(last) != s->end || !is_usable(s, last))
			return;
		s->end = last->offset;
		s->n_extents--;
	}
}

/* The smallest extent that can be used and is large enough: large ones stay large. */
static struct blobfs_extent *best_fit(const struct blobfs_space *s, uint64_t blocks)
{
	struct blobfs_extent *best = NULL;
	for (size_t i = 0; i < s->n_extents; i++) {
		struct blobfs_extent *e = &s->extents[i];
		if (e->blocks >= blocks && (!best || e->blocks < best->blocks) &&
			is_usable(s, e))
			best = e;
		if (best && s->lowest)
			break;
	}
	return best;
}

int blobfs_space_take(struct blobfs_space *s, uint64_t blocks, uint64_t *offset)
{
	struct blobfs_extent *e = best_fit(s, blocks);
	if (e) {
		*offset = e->offset;
		e->offset += blocks * BLOBFS_BLOCK;
		e->blocks -= blocks;
		if (e->blocks == 0)
			remove_extent(s, (size_t)(e - s->extents));
		return 0;
	}
	uint64_t size, end;
	if (u64_mul(blocks, BLOBFS_BLOCK, &size) || u64_add(s->end, size, &end) ||
		end > INT64_MAX || (!s->grows && end > s->limit))
		return error_set(STATUS_FAILED, ENOSPC,
			"%s: is full: %ju more blocks of %ju bytes are needed", s->name,
			(uintmax_t)blocks, (uintmax_t)BLOBFS_BLOCK);
	*offset = s->end;
	s->end = end;
	if (end > s->limit)
		s->limit = end;
	return 0;
}

int blobfs_space_give(
	struct blobfs_space *s, uint64_t offset, uint64_t blocks, uint64_t generation)
{
	struct blobfs_extent e = {offset, blocks, generation};
	if (blocks == 0)
		return 0;
	if (generation == 0 && end_of(&e) == s->end) {
		s->end = offset;
		return 0;
	}
	size_t at = 0;
	while (at < s->n_extents && s->extents[at].offset < offset)
		at++;
	struct blobfs_extent *before = at > 0 ? &s->extents[at - 1] : NULL;
	struct blobfs_extent *behind = at < s->n_extents ? &s->extents[at] : NULL;
	bool joins_before =
		before && before->generation == generation && end_of(before) == offset;
	bool joins_behind = behind && behind->generation == generation &&
			    behind->offset == end_of(&e);
	if (joins_before) {
		before->blocks += blocks;
		if (joins_behind) {
			before->blocks += behind->blocks;
			remove_extent(s, at);
		}
		return 0;
	}
	if (joins_behind) {
		behind->offset = offset;
		behind->blocks += blocks;
		return 0;
	}
	return insert_extent(s, at, e);
}

int blobfs_seal(uint8_t *block)
{
	struct span sealed = span_of(block, BLOBFS_SEAL);
	return hash_parts(HASH_SHA256, &sealed, 1, block + BLOBFS_SEAL);
}

static int load_page(
	struct blobfs_space *s, struct blobfs_device *d, uint64_t offset, uint64_t *left)
{
	uint8_t page[BLOBFS_BLOCK], seal[BLOBFS_DIGEST_SIZE];
	struct span sealed = span_of(page, BLOBFS_SEAL);
	int r = d->read(d->context, offset, page, sizeof page);
	if (r == 0)
		r = hash_parts(HASH_SHA256, &sealed, 1, seal);
	if (r < 0)
		return r;
	const struct blobfs_page *p = (const void *)page;
	uint32_t count = get_le32(p->count);
	if (memcmp(p->magic, BLOBFS_FREE_MAGIC, BLOBFS_MAGIC_SIZE) != 0 ||
		memcmp(seal, page + BLOBFS_SEAL, sizeof seal) != 0)
		return error_set(STATUS_CONTENT, EIO,
			"%s: offset %ju: the free list is damaged", d->name,
			(uintmax_t)offset);
	if (count == 0 || count > BLOBFS_PAGE_EXTENTS || count > *left)
		return error_format("%s: offset %ju: a free page of %u records", d->name,
			(uintmax_t)offset, count);
	const struct blobfs_disk_extent *e = (const void *)(page + sizeof *p);
	for (; count > 0; count--, e++, --*left) {
		struct blobfs_extent x = {get_le64(e->offset), get_le64(e->blocks),
			get_le64(e->generation)};
		uint64_t size, end, last = BLOBFS_BLOCK;
		if (s->n_extents)
			last = end_of(&s->extents[s->n_extents - 1]);
		if (u64_mul(x.blocks, BLOBFS_BLOCK, &size) ||
			u64_add(x.offset, size, &end) || end > s->end ||
			x.offset < last || x.blocks == 0 || x.offset % BLOBFS_BLOCK ||
			(x.offset <= BLOBFS_SUPER_B && end > BLOBFS_SUPER_B))
			return error_format("%s: offset %ju: a senseless free extent",
				d->name, (uintmax_t)offset);
		int inserted = insert_extent(s, s->n_extents, x);
		if (inserted < 0)
			return inserted;
	}
	return 0;
}

int blobfs_space_load(
	struct blobfs_space *s, const struct blobfs *fs, struct blobfs_device *d)
{
	uint64_t left = fs->free_entries;
	s->end = fs->used_end;
	s->limit = fs->device_size;
	if (s->end < BLOBFS_MIN_END || s->end % BLOBFS_BLOCK ||
		fs->free.pages > MAX_PAGES)
		return error_format("%s: the superblock cannot be written on", d->name);
	for (uint64_t i = 0; i < fs->free.pages; i++) {
		int r = load_page(s, d, fs->free.offset + i * BLOBFS_BLOCK, &left);
		if (r < 0)
			return r;
	}
	return left ? error_format("%s: the free list is too short", d->name) : 0;
}

uint64_t blobfs_space_pages(const struct blobfs_space *s)
{
	uint64_t pages = u64_div_up(s->n_extents, BLOBFS_PAGE_EXTENTS);
	return pages < MAX_PAGES ? pages : MAX_PAGES;
}

static void forget_smallest(struct blobfs_space *s)
{
	size_t smallest = 0;
	for (size_t i = 1; i < s->n_extents; i++)
		if (s->extents[i].blocks < s->extents[smallest].blocks)
			smallest = i;
	remove_extent(s, smallest);
}

static int save_page(const struct blobfs_space *s, struct blobfs_device *d,
	uint64_t offset, size_t first, size_t count)
{
	uint8_t page[BLOBFS_BLOCK] = BLOBFS_FREE_MAGIC;
	struct blobfs_page *p = (void *)page;
	struct blobfs_disk_extent *e = (void *)(page + sizeof *p);
	put_le32(p->count, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		put_le64(e[i].offset, s->extents[first + i].offset);
		put_le64(e[i].blocks, s->extents[first + i].blocks);
		put_le64(e[i].generation, s->extents[first + i].generation);
	}
	int r = blobfs_seal(page);
	return r < 0 ? r : d->write(d->context, offset, page, sizeof page);
}

int blobfs_space_save(struct blobfs_space *s, struct blobfs_device *d, uint64_t offset,
	uint64_t pages, uint64_t *count, uint64_t *used)
{
	while (s->n_extents > pages * BLOBFS_PAGE_EXTENTS)
		forget_smallest(s);
	*used = 0;
	*count = s->n_extents;
	for (size_t first = 0; first < s->n_extents; ++*used) {
		size_t n = s->n_extents - first;
		if (n > BLOBFS_PAGE_EXTENTS)
			n = BLOBFS_PAGE_EXTENTS;
		int r = save_page(s, d, offset + *used * BLOBFS_BLOCK, first, n);
		if (r < 0)
			return r;
		first += n;
	}
	return 0;
}
