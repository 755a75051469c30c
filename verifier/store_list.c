/* SPDX-License-Identifier: MIT */
#include "verifier/store_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"

void store_list_free(struct store_list *list)
{
	for (size_t i = 0; i < list->n_strays; i++)
		free(list->strays[i]);
	for (size_t i = 0; i < list->n_refs; i++) {
		free(list->refs[i].name);
		free(list->refs[i].fault);
	}
	free(list->strays);
	free(list->refs);
	buffer_free(&list->digests);
	*list = (struct store_list){0};
}

/* ---- blobs ------------------------------------------------------------------------- */

static int add_stray(struct store_list *list, const char *name)
{
	char **more = reallocarray(list->strays, list->n_strays + 1, sizeof *more);
	if (!more)
		return error_memory();
	list->strays = more;
	more[list->n_strays] = strdup(name);
	if (!more[list->n_strays])
		return error_memory();
	list->n_strays++;
	return 0;
}

/* Only as it would be looked for: with small letters. */
static bool is_blob(const char *path, uint8_t digest[OBJECTS_DIGEST])
{
	char text[OBJECTS_DIGEST_TEXT];
	if (strlen(path) != OBJECTS_DIGEST_TEXT || path[2] != '/' ||
		objects_parse(path, digest) < 0)
		return false;
	hex_encode(digest, OBJECTS_DIGEST, text);
	return !memcmp(text, path, 2) && !strcmp(text + 2, path + 3);
}

static int not_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int take_name(struct store_list *list, const char *prefix, const char *name)
{
	uint8_t digest[OBJECTS_DIGEST];
	char path[600];
	snprintf(path, sizeof path, "%s/%s", prefix, name);
	if (!is_blob(path, digest))
		return add_stray(list, path);
	list->n_blobs++;
	return buffer_append(&list->digests, digest, OBJECTS_DIGEST);
}

/* What is called as a directory of blobs is, and may be none, is a stray too. */
static int list_prefix(
	struct store_list *list, const struct objects *o, const char *prefix)
{
	struct dirent **names;
	size_t digits = strspn(prefix, "0123456789abcdef");
	int n = -1, r = 0;
	if (digits == 2 && !prefix[2])
		n = scandirat(o->objects, prefix, &names, not_dots, NULL);
	if (n < 0)
		return add_stray(list, prefix);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = take_name(list, prefix, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return r;
}

static int list_blobs(struct store_list *list, const struct objects *o)
{
	struct dirent **names;
	int n = scandirat(o->objects, ".", &names, not_dots, alphasort), r = 0;
	if (n < 0)
		return error_errno("%s: cannot list objects", o->name);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = list_prefix(list, o, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return r;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, OBJECTS_DIGEST);
}

const uint8_t *store_list_digest(const struct store_list *list, size_t number)
{
	return list->digests.data + number * OBJECTS_DIGEST;
}

size_t store_list_find(const struct store_list *list, const uint8_t *digest)
{
	const uint8_t *found = list->n_blobs
				       ? bsearch(digest, list->digests.data,
						 list->n_blobs, OBJECTS_DIGEST, by_digest)
				       : NULL;
	return found ? (size_t)(found - list->digests.data) / OBJECTS_DIGEST
		     : list->n_blobs;
}

/* ---- refs -------------------------------------------------------------------------- */

static int add_ref(struct store_list *list, const struct objects *o, const char *file)
{
	struct store_ref *more = reallocarray(list->refs, list->n_refs + 1, sizeof *more);
	if (!more)
		return error_memory();
	list->refs = more;
	struct store_ref *ref = &more[list->n_refs];
	*ref = (struct store_ref){.name = strdup(file)};
	if (!ref->name)
		return error_memory();
	list->n_refs++;
	/* As they are named in files: blobfs/objects.h. */
	for (char *c = ref->name; *c; c++)
		if (*c == '%')
			*c = '/';
	if (objects_ref_get(o, ref->name, ref->digest) < 0) {
		ref->fault = strdup(error_text());
		if (!ref->fault)
			return error_memory();
	}
	return 0;
}

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int list_refs(struct store_list *list, const struct objects *o)
{
	struct dirent **names;
	int n = scandirat(o->dirfd, "refs", &names, not_hidden, alphasort), r = 0;
	if (n < 0)
		return error_errno("%s: cannot list refs", o->name);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_ref(list, o, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return r;
}

int store_list_read(struct store_list *list, const struct objects *o)
{
	int r = list_blobs(list, o);
	if (list->n_blobs)
		qsort(list->digests.data, list->n_blobs, OBJECTS_DIGEST, by_digest);
	return r < 0 ? r : list_refs(list, o);
}
