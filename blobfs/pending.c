/* SPDX-License-Identifier: MIT */
#include "blobfs/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void blobfs_pending_free(struct blobfs_pending *p)
{
	free(p->entries);
	free(p->table);
	*p = (struct blobfs_pending){0};
}

/* Where DIGEST is in the table, or the empty place where it belongs. */
static size_t place(const struct blobfs_pending *p, const uint8_t *digest)
{
	size_t at = (size_t)get_le64(digest) & (p->table_size - 1);
	while (p->table[at] && memcmp(p->entries[p->table[at] - 1].digest, digest,
				       BLOBFS_DIGEST_SIZE) != 0)
		at = (at + 1) & (p->table_size - 1);
	return at;
}

struct blobfs_entry *blobfs_pending_find(
	const struct blobfs_pending *p, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	if (!p->table)
		return NULL;
	uint32_t number = p->table[place(p, digest)];
	return number ? &p->entries[number - 1] : NULL;
}

/* Room for one more: the table is kept at most half full. */
static int grow(struct blobfs_pending *p)
{
	if (p->n_entries < p->capacity)
		return 0;
	size_t capacity = p->capacity ? p->capacity * 2 : 512;
	if (capacity > UINT32_MAX / 2)
		return error_set(STATUS_FAILED, EFBIG, "too many blobs in one change");
	void *entries = reallocarray(p->entries, capacity, sizeof *p->entries);
	if (!entries)
		return error_memory();
	p->entries = entries;
	p->capacity = capacity;
	free(p->table);
	p->table_size = 2 * capacity;
	p->table = calloc(p->table_size, sizeof *p->table);
	if (!p->table)
		return error_memory();
	for (size_t i = 0; i < p->n_entries; i++)
		p->table[place(p, p->entries[i].digest)] = (uint32_t)i + 1;
	return 0;
}

int blobfs_pending_set(struct blobfs_pending *p, const struct blobfs_entry *entry)
{
	struct blobfs_entry *old = blobfs_pending_find(p, entry->digest);
	if (old) {
		*old = *entry;
		return 0;
	}
	int r = grow(p);
	if (r < 0)
		return r;
	p->table[place(p, entry->digest)] = (uint32_t)p->n_entries + 1;
	p->entries[p->n_entries++] = *entry;
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct blobfs_entry *x = a, *y = b;
	return memcmp(x->digest, y->digest, BLOBFS_DIGEST_SIZE);
}

void blobfs_pending_sort(struct blobfs_pending *p)
{
	free(p->table);
	p->table = NULL;
	if (p->n_entries)
		qsort(p->entries, p->n_entries, sizeof *p->entries, by_digest);
}
