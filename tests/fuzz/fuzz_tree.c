/* SPDX-License-Identifier: MIT */
/*
 * The input is a tar archive of any compression. What is accepted must be a tree that
 * keeps the promises of tree.h, and its stream must be readable to the end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/acl.h"
#include "builder/tree_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool truth)
{
	if (!truth)
		abort();
}

static int take(void *context, struct span data, uint64_t offset)
{
	uint64_t *end = context;
	demand(data.size > 0 && offset >= *end);
	*end = offset + data.size;
	return 0;
}

static void check_entry(const struct tree *tree, size_t i)
{
	const struct tree_entry *e = &tree->entries[i];
	const struct tree_entry *parent = &tree->entries[e->parent];
	uint64_t end = 0;
	demand(S_ISDIR(parent->mode) && tree_find(tree, e->path) == e);
	demand(i == 0 || (e->parent < i && tree_compare(e[-1].path, e->path) < 0));
	demand(e->path[0] != '/' && !strstr(e->path, "//") && strcmp(tree_base(e), ".."));
	demand(tree->entries[e->first_name].first_name == e->first_name);
	demand(!S_ISLNK(e->mode) || (e->target && strlen(e->target) == e->size));
	demand(e->mtime_ns < 1000000000);
	acl_mode_without(e);
	if (S_ISREG(e->mode)) {
		demand(tree_stream(tree, e, take, &end) == 0);
		demand(end <= e->size);
	}
	tree_resolve(tree, e->path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file archive;
	struct tree tree = TREE_EMPTY;
	tree.name = strdup("archive");
	if (file_in_memory(&archive, "archive", span_of(data, size)) == 0 &&
		file_in_memory(&tree.spool, "spool", span_of(NULL, 0)) == 0 &&
		tree_load_tar(&tree, &archive) == 0)
		for (size_t i = 0; i < tree.n_entries; i++)
			check_entry(&tree, i);
	tree_free(&tree);
	file_close(&archive);
	return 0;
}
