/* SPDX-License-Identifier: MIT */
/*
 * list-erofs IMAGE: everything that is in an erofs, a line each: path, mode, owner,
 * group, links, time, device, attributes as NAME=HEX, the link's target, SHA-256 of the
 * contents.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/erofs_image.h"
#include "core/hash.h"
#include "core/hex.h"

struct walk {
	const struct erofs *e;
	struct buffer *path;
};

static int print_xattr(void *context, const char *name, struct span value)
{
	char *hex = malloc(2 * value.size + 1);
	(void)context;
	printf(" %s=%s", name, hex_encode(value.data, value.size, hex));
	free(hex);
	return 0;
}

static int print_contents(const struct erofs *e, const struct erofs_inode *i)
{
	uint8_t digest[HASH_MAX_SIZE], *data = malloc((size_t)i->size + 1);
	char text[2 * HASH_MAX_SIZE + 1];
	struct span s = span_of(data, (size_t)i->size);
	int r = erofs_read(e, i, data, s.size, 0);
	if (r == 0)
		r = hash_parts(HASH_SHA256, &s, 1, digest);
	if (r == 0)
		printf(" %s", hex_encode(digest, 32, text));
	free(data);
	return r;
}

static int print_inode(const struct walk *w, const struct erofs_inode *i)
{
	printf("%s %o %u %u %u %jd.%09u %u:%u", buffer_text(w->path), i->mode, i->uid,
		i->gid, i->n_links, (intmax_t)i->mtime, i->mtime_ns, i->major, i->minor);
	int r = erofs_xattrs(w->e, i, print_xattr, NULL);
	if (r == 0 && S_ISLNK(i->mode)) {
		BUFFER target = {0};
		r = erofs_target(w->e, i, &target);
		printf(" -> %s", buffer_text(&target));
	}
	if (r == 0 && S_ISREG(i->mode))
		r = print_contents(w->e, i);
	putchar('\n');
	return r;
}

static int visit(void *context, struct span name, uint64_t nid)
{
	struct walk *w = context;
	struct erofs_inode i;
	size_t before = w->path->size;
	int r = erofs_inode(w->e, nid, &i);
	if (r == 0)
		r = buffer_printf(
			w->path, "/%.*s", (int)name.size, (const char *)name.data);
	if (r == 0)
		r = print_inode(w, &i);
	if (r == 0 && S_ISDIR(i.mode) && w->path->size < PATH_MAX)
		r = erofs_list(w->e, &i, visit, w);
	w->path->size = before;
	return r;
}

static int list(const char *path)
{
	AUTO_FILE f = FILE_CLOSED;
	BUFFER name = {0};
	struct erofs e;
	struct erofs_inode root;
	struct walk w = {&e, &name};
	int r = file_open(&f, path);
	if (r == 0)
		r = erofs_open(&e, &f, 0, f.size);
	if (r == 0)
		r = erofs_inode(&e, e.root, &root);
	if (r == 0)
		r = print_inode(&w, &root);
	return r < 0 ? r : erofs_list(&e, &root, visit, &w);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return STATUS_USAGE;
	if (list(argv[1]) == 0)
		return 0;
	fprintf(stderr, "%s\n", error_text());
	return (int)error_status();
}
