/* SPDX-License-Identifier: MIT */
#include "verifier/compare.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void comparison_free(struct comparison *c)
{
	free(c->changes);
	c->changes = NULL;
	c->n_changes = c->capacity = 0;
}

static int add(struct comparison *c, const struct change *change)
{
	if (c->n_changes == c->capacity) {
		size_t more = c->capacity ? 2 * c->capacity : 64;
		struct change *larger = reallocarray(c->changes, more, sizeof *larger);
		if (!larger)
			return error_memory();
		c->changes = larger;
		c->capacity = more;
	}
	c->changes[c->n_changes++] = *change;
	return 0;
}

/* ---- one file of both -------------------------------------------------------------- */

static int digest(struct comparison *c, struct files *list, struct files_entry *e)
{
	if (e->has_digest)
		return 0;
	c->n_read++;
	c->n_bytes += e->size;
	return files_digest(list, e);
}

/* 1 if the bytes differ. */
static int bytes_differ(
	struct comparison *c, struct files_entry *a, struct files_entry *b)
{
	if (a->size != b->size)
		return 1;
	enum sameness known =
		c->known ? c->known(c->context, c->a, a, c->b, b) : SAMENESS_UNKNOWN;
	if (known != SAMENESS_UNKNOWN)
		return known == SAMENESS_DIFFERENT;
	int r = digest(c, c->a, a);
	if (r == 0)
		r = digest(c, c->b, b);
	return r < 0 ? r : memcmp(a->digest, b->digest, sizeof a->digest) != 0;
}

static int content_differs(
	struct comparison *c, struct files_entry *a, struct files_entry *b)
{
	if (S_ISREG(a->mode))
		return bytes_differ(c, a, b);
	if (S_ISLNK(a->mode))
		return strcmp(a->target, b->target) != 0;
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		return a->major != b->major || a->minor != b->minor;
	return 0;
}

static bool xattrs_differ(const struct files_entry *a, const struct files_entry *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return true;
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct files_xattr *x = &a->xattrs[i], *y = &b->xattrs[i];
		if (strcmp(x->name, y->name) || x->size != y->size ||
			(x->size && memcmp(x->value, y->value, x->size)))
			return true;
	}
	return false;
}

/* Times of squashfs and of small inodes are whole seconds: those are what is compared. */
static int compare_pair(
	struct comparison *c, struct files_entry *a, struct files_entry *b)
{
	struct change change = {.kind = CHANGE_CHANGED, .a = a, .b = b};
	bool type = (a->mode ^ b->mode) & S_IFMT;
	int content = type ? 0 : content_differs(c, a, b);
	if (content < 0)
		return content;
	change.what = (type ? DIFFERS_TYPE : 0) | (content ? DIFFERS_CONTENT : 0) |
		      ((a->mode ^ b->mode) & 07777 ? DIFFERS_MODE : 0) |
		      (a->uid != b->uid || a->gid != b->gid ? DIFFERS_OWNER : 0) |
		      (xattrs_differ(a, b) ? DIFFERS_XATTR : 0);
	if (!c->no_times && a->mtime != b->mtime)
		change.what |= DIFFERS_TIME;
	if (change.what)
		return add(c, &change);
	c->n_same++;
	return 0;
}

/* ---- moved ------------------------------------------------------------------------- */

static int by_digest(const void *a, const void *b)
{
	const struct change *x = *(struct change *const *)a;
	const struct change *y = *(struct change *const *)b;
	int d = memcmp(x->a->digest, y->a->digest, sizeof x->a->digest);
	return d ? d : strcmp(x->a->path, y->a->path);
}

static bool can_move(const struct files_entry *e)
{
	return e && S_ISREG(e->mode) && e->size > 0;
}

/* Files of a size that only one side has were not moved: they need not be read. */
static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool has_size(const uint64_t *sizes, size_t n, uint64_t size)
{
	return n && bsearch(&size, sizes, n, sizeof *sizes, by_size);
}

static size_t collect_sizes(
	const struct comparison *c, enum change_kind kind, uint64_t *sizes)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n_changes; i++) {
		const struct change *x = &c->changes[i];
		const struct files_entry *e = kind == CHANGE_ADDED ? x->b : x->a;
		if (x->kind == kind && can_move(e))
			sizes[n++] = e->size;
	}
	if (n)
		qsort(sizes, n, sizeof *sizes, by_size);
	return n;
}

static struct change *find_digest(
	struct change **list, size_t n, const struct files_entry *b)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(list[middle]->a->digest, b->digest, sizeof b->digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* Of several the first that is not taken yet. */
	for (; low < n && !memcmp(list[low]->a->digest, b->digest, sizeof b->digest);
		low++)
		if (list[low]->kind == CHANGE_REMOVED)
			return list[low];
	return NULL;
}

/* An added file becomes a moved one; the removal it was is marked to be dropped. */
static int pair_up(struct comparison *c, struct change **removed, uint64_t *sizes)
{
	size_t n_sizes = collect_sizes(c, CHANGE_ADDED, sizes), n = 0;
	int r = 0;
	for (size_t i = 0; r == 0 && i < c->n_changes; i++) {
		struct change *x = &c->changes[i];
		if (x->kind != CHANGE_REMOVED || !can_move(x->a) ||
			!has_size(sizes, n_sizes, x->a->size))
			continue;
		r = digest(c, c->a, (struct files_entry *)(uintptr_t)x->a);
		removed[n++] = x;
	}
	if (n)
		qsort(removed, n, sizeof *removed, by_digest);
	n_sizes = collect_sizes(c, CHANGE_REMOVED, sizes);
	for (size_t i = 0; r == 0 && i < c->n_changes; i++) {
		struct change *x = &c->changes[i];
		if (x->kind != CHANGE_ADDED || !can_move(x->b) ||
			!has_size(sizes, n_sizes, x->b->size))
			continue;
		r = digest(c, c->b, (struct files_entry *)(uintptr_t)x->b);
		struct change *from = r == 0 ? find_digest(removed, n, x->b) : NULL;
		if (!from)
			continue;
		*x = (struct change){.kind = CHANGE_MOVED, .a = from->a, .b = x->b};
		from->kind = CHANGE_MOVED;
	}
	return r;
}

static int find_moved(struct comparison *c)
{
	struct change **removed = calloc(c->n_changes + 1, sizeof *removed);
	uint64_t *sizes = calloc(c->n_changes + 1, sizeof *sizes);
	int r = removed && sizes ? pair_up(c, removed, sizes) : error_memory();
	size_t n = 0;
	for (size_t i = 0; i < c->n_changes; i++)
		if (c->changes[i].kind != CHANGE_MOVED || c->changes[i].b)
			c->changes[n++] = c->changes[i];
	c->n_changes = n;
	free(removed);
	free(sizes);
	return r;
}

/* ---- all --------------------------------------------------------------------------- */

int compare(struct comparison *c)
{
	size_t i = 0, k = 0;
	int r = 0;
	while (r == 0 && (i < c->a->n_items || k < c->b->n_items)) {
		struct files_entry *a = i < c->a->n_items ? &c->a->items[i] : NULL;
		struct files_entry *b = k < c->b->n_items ? &c->b->items[k] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
		if (order < 0)
			r = add(c, &(struct change){.kind = CHANGE_REMOVED, .a = a});
		else if (order > 0)
			r = add(c, &(struct change){.kind = CHANGE_ADDED, .b = b});
		else
			r = compare_pair(c, a, b);
		i += order <= 0;
		k += order >= 0;
	}
	return r < 0 ? r : find_moved(c);
}
