/* SPDX-License-Identifier: MIT */
/* An erofs: its names are walked, its attributes and contents read, all of it bounded. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/erofs_image.h"

#define DEPTH 4
#define FILES 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	const struct erofs *e;
	unsigned depth, files;
};

static int take_xattr(void *context, const char *name, struct span value)
{
	unsigned *sum = context;
	for (size_t i = 0; i < value.size; i++)
		*sum += value.data[i];
	return name[0] ? 0 : -1;
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
	if (S_ISLNK(i.mode))
		erofs_target(w->e, &i, &target);
	else if (S_ISREG(i.mode))
		erofs_read(w->e, &i, data,
			i.size < sizeof data ? (size_t)i.size : sizeof data, 0);
	else if (S_ISDIR(i.mode) && w->depth < DEPTH) {
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
	if (erofs_open(&e, &f, 0, f.size) == 0 && erofs_inode(&e, e.root, &root) == 0)
		erofs_list(&e, &root, visit, &w);
	return 0;
}
