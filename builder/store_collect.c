/* SPDX-License-Identifier: MIT */
#include "builder/store_collect.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/names.h"
#include "builder/store_tree.h"

struct collection {
	const struct objects *store;
	struct buffer needed; /* digests, sorted once they are all there */
	bool dry_run;
	uint64_t n_kept, n_removed;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, OBJECTS_DIGEST);
}

static int need(void *context, const uint8_t *digest)
{
	struct collection *c = context;
	return buffer_append(&c->needed, digest, OBJECTS_DIGEST);
}

static int need_ref(void *context, const char *name, const uint8_t *digest)
{
	struct collection *c = context;
	struct store_tree tree = STORE_TREE_CLOSED;
	int r = need(c, digest);
	if (r == 0)
		r = store_tree_open(&tree, c->store, digest);
	if (r < 0)
		return error_context(r, "ref %s", name);
	if (r == 0)
		r = names_blobs(&tree.erofs, need, c);
	store_tree_close(&tree);
	return r < 0 ? r : 0;
}

static int sweep(void *context, const uint8_t *digest)
{
	struct collection *c = context;
	if (c->needed.size &&
		bsearch(digest, c->needed.data, c->needed.size / OBJECTS_DIGEST,
			OBJECTS_DIGEST, compare)) {
		c->n_kept++;
		return 0;
	}
	c->n_removed++;
	return c->dry_run ? 0 : objects_remove(c->store, digest);
}

int store_collect(
	const struct objects *o, bool dry_run, uint64_t *n_kept, uint64_t *n_removed)
{
	struct collection c = {.store = o, .dry_run = dry_run};
	int r = objects_refs(o, need_ref, &c);
	if (r == 0 && c.needed.size)
		qsort(c.needed.data, c.needed.size / OBJECTS_DIGEST, OBJECTS_DIGEST,
			compare);
	if (r == 0)
		r = objects_list(o, sweep, &c);
	if (r == 0 && !dry_run)
		r = objects_clean_staging(o);
	buffer_free(&c.needed);
	*n_kept = c.n_kept;
	*n_removed = c.n_removed;
	return r;
}
