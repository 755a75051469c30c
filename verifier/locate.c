/* SPDX-License-Identifier: MIT */
#include "verifier/locate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/locator.h"
#include "verifier/probe.h"

void locator_init(struct locator *l, const struct file *f, uint64_t offset, uint64_t size)
{
	*l = (struct locator){.file = f, .offset = offset, .size = size};
}

void locator_free(struct locator *l)
{
	for (size_t i = 0; i < l->n_names; i++)
		free(l->names[i].path);
	for (size_t i = 0; i < l->n_faults; i++)
		free(l->faults[i]);
	for (size_t i = 0; i < l->n_texts; i++)
		free(l->texts[i]);
	free(l->wanted);
	free(l->items);
	free(l->names);
	free(l->faults);
	free(l->texts);
	*l = (struct locator){0};
}

int locator_want(struct locator *l, uint64_t offset, uint64_t size)
{
	uint64_t end;
	if (size == 0 || u64_add(offset, size, &end))
		return error_format("%s: %ju bytes from %ju on are no part of a file",
			l->file->name, (uintmax_t)size, (uintmax_t)offset);
	if (l->n_wanted == l->wanted_capacity) {
		size_t more = l->wanted_capacity ? 2 * l->wanted_capacity : 64;
		struct range *larger = reallocarray(l->wanted, more, sizeof *larger);
		if (!larger)
			return error_memory();
		l->wanted = larger;
		l->wanted_capacity = more;
	}
	l->wanted[l->n_wanted++] = (struct range){offset, size};
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Into order, and nothing twice. */
static void sort_wanted(struct locator *l)
{
	uint64_t end = 0;
	size_t n = 0;
	if (l->n_wanted)
		qsort(l->wanted, l->n_wanted, sizeof *l->wanted, by_first);
	for (size_t i = 0; i < l->n_wanted; i++) {
		struct range r = l->wanted[i];
		uint64_t cut = r.first < end ? end - r.first : 0;
		if (cut >= r.count)
			continue;
		l->wanted[n++] = (struct range){r.first + cut, r.count - cut};
		end = r.first + r.count;
	}
	l->n_wanted = n;
}

/* Makes room for one more; 0, 1 if the list is as long as it may get, or -ENOMEM. */
static int grow(void **items, size_t size, size_t n, size_t *capacity, bool *incomplete)
{
	if (n < *capacity)
		return 0;
	if (n >= LOCATED_MAX) {
		*incomplete = true;
		return 1;
	}
	size_t more = *capacity ? 2 * *capacity : 64;
	void *larger = reallocarray(*items, more, size);
	if (!larger)
		return error_memory();
	*items = larger;
	*capacity = more;
	return 0;
}

static int append(struct locator *l, const struct located *item)
{
	int r = grow((void **)&l->items, sizeof *item, l->n_items, &l->capacity,
		&l->incomplete);
	if (r == 0)
		l->items[l->n_items++] = *item;
	return r < 0 ? r : 0;
}

/* The first wanted range that ends behind OFFSET. */
static size_t first_wanted(const struct locator *l, uint64_t offset)
{
	size_t low = 0, high = l->n_wanted;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *r = &l->wanted[middle];
		if (r->first + r->count <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool locator_wants(const struct locator *l, uint64_t offset, uint64_t size)
{
	size_t i = first_wanted(l, offset);
	return size > 0 && i < l->n_wanted && l->wanted[i].first < offset + size;
}

int locator_use(struct locator *l, const struct located *use)
{
	uint64_t end;
	int hit = 0;
	if (u64_add(use->offset, use->size, &end))
		end = UINT64_MAX;
	if (use->size == 0)
		return 0;
	for (size_t i = first_wanted(l, use->offset);
		i < l->n_wanted && l->wanted[i].first < end; i++) {
		const struct range *w = &l->wanted[i];
		struct located part = *use;
		uint64_t w_end = w->first + w->count;
		part.offset = w->first > use->offset ? w->first : use->offset;
		part.size = (w_end < end ? w_end : end) - part.offset;
		uint64_t skip = part.offset - use->offset;
		if (!use->whole) {
			/* What is stored behind the end of the file is not of it. */
			part.file_offset += skip;
			uint64_t left = skip < use->file_size ? use->file_size - skip : 0;
			part.file_size = left < part.size ? left : part.size;
		}
		int r = append(l, &part);
		if (r < 0)
			return r;
		hit = 1;
	}
	return hit;
}

int locator_meta(struct locator *l, uint64_t offset, uint64_t size, const char *what)
{
	int r = locator_use(l, &(struct located){.kind = LOCATED_META,
				       .offset = offset,
				       .size = size,
				       .what = what});
	return r < 0 ? r : 0;
}

const char *locator_text(struct locator *l, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	char **more = reallocarray(l->texts, l->n_texts + 1, sizeof *more);
	if (!more)
		return NULL;
	l->texts = more;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	return l->texts[l->n_texts++] = text;
}

int locator_name(struct locator *l, uint64_t inode, struct span path)
{
	int r = grow((void **)&l->names, sizeof *l->names, l->n_names, &l->names_capacity,
		&l->incomplete);
	if (r != 0)
		return r < 0 ? r : 0;
	char *copy = malloc(path.size + 1);
	if (!copy)
		return error_memory();
	memcpy(copy, path.data, path.size);
	copy[path.size] = 0;
	l->names[l->n_names++] = (struct located_name){inode, copy, path.size};
	return 0;
}

int locator_fault(struct locator *l)
{
	if (l->n_faults == LOCATED_FAULT_MAX) {
		l->n_more_faults++;
		return 0;
	}
	char **more = reallocarray(l->faults, l->n_faults + 1, sizeof *more);
	if (!more)
		return error_memory();
	l->faults = more;
	/* The image's name is said elsewhere. */
	const char *text = error_text();
	size_t n = strlen(l->file->name);
	if (!strncmp(text, l->file->name, n) && !strncmp(text + n, ": ", 2))
		text += n + 2;
	l->faults[l->n_faults] = strdup(text);
	if (!l->faults[l->n_faults])
		return error_memory();
	l->n_faults++;
	return 0;
}

/* ---- order ------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct located *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->file_offset < y->file_offset ? -1 : x->file_offset > y->file_offset;
}

static int by_inode(const void *a, const void *b)
{
	const struct located_name *x = a, *y = b;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return strcmp(x->path, y->path);
}

size_t locator_first(const struct locator *l, uint64_t offset)
{
	size_t low = 0, high = l->n_items;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->items[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds what of RANGE no item covers, from item *AT on, of which the first N are sorted.
 */
static int add_rest(struct locator *l, const struct range *range, size_t *at, size_t n,
	enum located_kind kind)
{
	uint64_t covered = range->first, end = range->first + range->count;
	int r = 0;
	for (; r == 0 && *at < n && l->items[*at].offset < end; *at += 1) {
		struct located item = l->items[*at];
		if (item.offset > covered)
			r = append(l, &(struct located){.kind = kind,
					      .offset = covered,
					      .size = item.offset - covered});
		if (item.offset + item.size > covered)
			covered = item.offset + item.size;
	}
	if (r == 0 && covered < end)
		r = append(l,
			&(struct located){
				.kind = kind, .offset = covered, .size = end - covered});
	return r;
}

static int add_unused(struct locator *l)
{
	enum located_kind kind =
		l->n_faults || l->incomplete ? LOCATED_UNKNOWN : LOCATED_UNUSED;
	size_t n = l->n_items, at = 0;
	int r = 0;
	if (n)
		qsort(l->items, n, sizeof *l->items, by_offset);
	for (size_t i = 0; r == 0 && i < l->n_wanted; i++)
		r = add_rest(l, &l->wanted[i], &at, n, kind);
	if (l->n_items)
		qsort(l->items, l->n_items, sizeof *l->items, by_offset);
	if (l->n_names)
		qsort(l->names, l->n_names, sizeof *l->names, by_inode);
	return r;
}

static bool is_blobfs(const struct locator *l)
{
	uint8_t magic[8];
	return l->size >= sizeof magic &&
	       file_read(l->file, magic, sizeof magic, l->offset) == 0 &&
	       !memcmp(magic, "blobfs", 6);
}

int locate(struct locator *l)
{
	struct probe probe;
	sort_wanted(l);
	int r = probe_file_system(l->file, l->offset, l->size, &probe);
	if (r < 0 && probe.kind == PROBE_UNKNOWN) {
		r = locator_fault(l);
	} else if (probe.kind == PROBE_EXT) {
		r = locate_ext4(l);
	} else if (r < 0) {
		r = locator_fault(l);
	} else if (probe.kind == PROBE_EROFS) {
		r = locate_erofs(l);
	} else if (probe.kind == PROBE_SQUASHFS) {
		r = locate_squashfs(l);
	} else if (is_blobfs(l)) {
		r = locate_blobfs(l);
	} else {
		error_format("%s: offset %ju: neither erofs nor squashfs nor ext4 nor "
			     "blobfs",
			l->file->name, (uintmax_t)l->offset);
		r = locator_fault(l);
	}
	return r < 0 ? r : add_unused(l);
}

bool locator_read_wanted(const struct locator *l)
{
	for (size_t i = 0; i < l->n_items; i++) {
		enum located_kind kind = l->items[i].kind;
		if (kind == LOCATED_DIRECTORY || kind == LOCATED_INODE ||
			kind == LOCATED_MAP || kind == LOCATED_META)
			return true;
	}
	return false;
}
