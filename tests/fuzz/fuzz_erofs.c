/* SPDX-License-Identifier: MIT */
/*
 * An erofs: its names are walked, its attributes and contents read, all of it bounded;
 * and as the names of a tree of blobs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/names.h"

#define DEPTH 4
#define FILES 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	const struct erofs *e;
	unsigned depth, files;
};

static int take_original(void *context, const char *name, struct span value)
{
	char unescaped[NAMES_XATTR_SIZE];
	const char *original = names_original(context, name, unescaped);
	(void)value;
	return original && strlen(original) >= NAMES_XATTR_SIZE ? -1 : 0;
}

static void look_as_tree(const struct erofs *e, const struct erofs_inode *i)
{
	struct names_marks marks;
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	if (names_look(e, i, &marks) == 0)
		erofs_xattrs(e, i, take_original, &marks);
	names_blob(e, i, digest);
}

static int ignore_blob(void *context, const uint8_t *digest)
{
	(void)context;
	(void)digest;
	return 0;
}

static int take_xattr(void *context, const char *name, struct span value)
{
	unsigned *sum = context;
	for (size_t i = 0; i < value.size; i++)
		*sum += value.data[i];
	return name[0] ? 0 : -1;
}

static int take_next(void *context, struct span name, uint64_t nid, uint64_t next)
{
	(void)nid;
	*(uint64_t *)context = next;
	return name.size == 0 || name.size > 255 ? -1 : 0;
}

/* Looks NAME up in a directory, and lists it from some place that the image says. */
static void look_up(
	const struct erofs *e, const struct erofs_inode *dir, struct span name)
{
	uint64_t nid, next = 0;
	erofs_find(e, dir, name, &nid);
	erofs_list_from(e, dir, dir->mtime_ns, take_next, &next);
	erofs_list_from(e, dir, next, take_next, &next);
}

static int visit(void *context, struct span name, uint64_t nid)
{
	struct walk *w = context;
	struct erofs_inode i;
	BUFFER target = {0};
	uint8_t data[8192];
	unsigned sum = 0;
	if (name.size == 0 || name.size > 255)
		abort();
	if (++w->files > FILES)
		return 1;
	if (erofs_inode(w->e, nid, &i) < 0)
		return 0;
	erofs_xattrs(w->e, &i, take_xattr, &sum);
	look_as_tree(w->e, &i);
	if (S_ISLNK(i.mode))
		erofs_target(w->e, &i, &target);
	else if (S_ISREG(i.mode))
		erofs_read(w->e, &i, data,
			i.size < sizeof data ? (size_t)i.size : sizeof data, 0);
	else if (S_ISDIR(i.mode) && w->depth < DEPTH) {
		look_up(w->e, &i, name);
		w->depth++;
		erofs_list(w->e, &i, visit, w);
		w->depth--;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FILE f = FILE_CLOSED;
	struct erofs e;
	struct erofs_inode root;
	if (file_in_memory(&f, "erofs", span_of(data, size)) < 0)
		abort();
	struct walk w = {.e = &e};
	if (erofs_open(&e, &f, 0, f.size) == 0 && erofs_inode(&e, e.root, &root) == 0) {
		erofs_list(&e, &root, visit, &w);
		look_up(&e, &root, SPAN("name"));
		names_blobs(&e, ignore_blob, NULL);
	}
	return 0;
}
