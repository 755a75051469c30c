/* SPDX-License-Identifier: MIT */
#include "verifier/files.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/openssl.h"
#include "verifier/files_reader.h"
#include "verifier/probe.h"

/* Holes and zeros are compressed away; more than this is made to keep us busy. */
#define MAX_GROWTH 4096u
#define MIN_ROOM   ((uint64_t)64 << 10)

void files_free(struct files *list)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct files_entry *e = &list->items[i];
		for (size_t k = 0; k < e->n_xattrs; k++) {
			free(e->xattrs[k].name);
			free(e->xattrs[k].value);
		}
		free(e->xattrs);
		free(e->path);
		free(e->target);
	}
	free(list->items);
	if (list->reader)
		list->reader->free(list->reader);
	*list = (struct files){0};
}

/* Names can be made of a few bytes each that are paths of many. */
static int check_bytes(struct files *list, struct span path)
{
	if (list->n_items) {
		const struct files_entry *last = &list->items[list->n_items - 1];
		list->n_bytes += last->n_bytes;
		list->n_bytes += last->target ? strlen(last->target) : 0;
	}
	if (list->n_bytes + path.size > FILES_MAX_BYTES)
		return error_format("%s: more than %zu MiB of paths and attributes",
			list->name ? list->name : "list", FILES_MAX_BYTES >> 20);
	return 0;
}

int files_add(struct files *list, struct span path, struct files_entry **entry)
{
	int r = check_bytes(list, path);
	if (r < 0)
		return r;
	if (list->n_items == list->capacity) {
		size_t more = list->capacity ? 2 * list->capacity : 256;
		if (more > FILES_MAX)
			return error_format("%s: more than %zu files",
				list->name ? list->name : "list", FILES_MAX / 2);
		struct files_entry *items =
			reallocarray(list->items, more, sizeof *items);
		if (!items)
			return error_memory();
		list->items = items;
		list->capacity = more;
	}
	char *copy = malloc(path.size + 1);
	if (!copy)
		return error_memory();
	memcpy(copy, path.data, path.size);
	copy[path.size] = 0;
	*entry = &list->items[list->n_items++];
	**entry = (struct files_entry){
		.path = copy, .path_size = path.size, .n_bytes = path.size};
	return 0;
}

int files_add_xattr(struct files_entry *entry, const char *name, struct span value)
{
	entry->n_bytes += strlen(name) + value.size;
	if (entry->n_bytes - entry->path_size > FILES_MAX_XATTR)
		return error_format("a file with more than %zu KiB of attributes",
			FILES_MAX_XATTR >> 10);
	struct files_xattr *more =
		reallocarray(entry->xattrs, entry->n_xattrs + 1, sizeof *more);
	if (!more)
		return error_memory();
	entry->xattrs = more;
	struct files_xattr x = {.name = strdup(name),
		.value = value.size ? malloc(value.size) : NULL,
		.size = value.size};
	if (!x.name || (value.size && !x.value)) {
		free(x.name);
		free(x.value);
		return error_memory();
	}
	if (value.size)
		memcpy(x.value, value.data, value.size);
	more[entry->n_xattrs++] = x;
	return 0;
}

/* ---- order ------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct files_entry *x = a, *y = b;
	return strcmp(x->path, y->path);
}

static int by_name(const void *a, const void *b)
{
	const struct files_xattr *x = a, *y = b;
	return strcmp(x->name, y->name);
}

void files_sort(struct files *list)
{
	if (list->n_items)
		qsort(list->items, list->n_items, sizeof *list->items, by_path);
	for (size_t i = 0; i < list->n_items; i++)
		if (list->items[i].n_xattrs)
			qsort(list->items[i].xattrs, list->items[i].n_xattrs,
				sizeof *list->items[i].xattrs, by_name);
}

struct files_entry *files_find(const struct files *list, const char *path)
{
	const struct files_entry key = {.path = (char *)(uintptr_t)path};
	if (!list->n_items)
		return NULL;
	return bsearch(&key, list->items, list->n_items, sizeof *list->items, by_path);
}

/* ---- file systems ------------------------------------------------------------------ */

int files_load(struct files *list, const struct file *f, uint64_t offset, uint64_t size)
{
	struct probe probe;
	int r = probe_file_system(f, offset, size, &probe);
	if (r < 0)
		return r;
	list->name = f->name;
	if (probe.kind == PROBE_EROFS)
		r = files_load_erofs(list, f, offset, size);
	else if (probe.kind == PROBE_SQUASHFS)
		r = files_load_squashfs(list, f, offset, size);
	else if (probe.kind == PROBE_EXT)
		r = files_load_ext4(list, f, offset, size);
	else
		r = error_format("%s: offset %ju: neither erofs nor squashfs nor ext4",
			f->name, (uintmax_t)offset);
	if (r == 0)
		list->reader->size = size;
	files_sort(list);
	return r;
}

/* The smallest have sparse files, too. */
static uint64_t room(const struct files *list)
{
	return list->reader->size > MIN_ROOM ? list->reader->size : MIN_ROOM;
}

static bool is_absurd(const struct files *list, const struct files_entry *item)
{
	return item->size / MAX_GROWTH > room(list);
}

int files_pieces(const struct files *list, const struct files_entry *item,
	int (*take)(void *context, const struct files_piece *piece), void *context)
{
	if (!S_ISREG(item->mode) || !list->reader || is_absurd(list, item))
		return 1;
	return list->reader->pieces(list->reader, item, take, context);
}

struct digesting {
	EVP_MD_CTX *context;
	uint64_t size;
};

static int digest_part(void *context, struct span data)
{
	struct digesting *d = context;
	d->size += data.size;
	if (EVP_DigestUpdate(d->context, data.data, data.size) != 1)
		return openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	return 0;
}

static int compute(struct files *list, struct files_entry *item, EVP_MD_CTX *context)
{
	struct digesting d = {.context = context};
	if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		return openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	int r = list->reader->stream(list->reader, item, digest_part, &d);
	if (r < 0)
		return error_context(r, "%s", item->path);
	if (d.size != item->size)
		return error_format("%s: %ju bytes, but a size of %ju", item->path,
			(uintmax_t)d.size, (uintmax_t)item->size);
	if (EVP_DigestFinal_ex(context, item->digest, NULL) != 1)
		return openssl_error(STATUS_FAILED, "cannot compute SHA-256");
	item->has_digest = true;
	return 0;
}

int files_digest(struct files *list, struct files_entry *item)
{
	if (item->has_digest)
		return 0;
	if (!S_ISREG(item->mode) || !list->reader)
		return error_format("%s: no file that could be read", item->path);
	if (is_absurd(list, item))
		return error_format("%s: %ju bytes cannot be in this file system",
			item->path, (uintmax_t)item->size);
	/* Each by itself may make sense, and all of them use the same bytes. */
	list->n_read += item->size;
	if (list->n_read / MAX_GROWTH > room(list))
		return error_format("%s: files of more than %u times the bytes of this "
				    "file system",
			list->name ? list->name : item->path, MAX_GROWTH);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int r = compute(list, item, context);
	EVP_MD_CTX_free(context);
	return r;
}
