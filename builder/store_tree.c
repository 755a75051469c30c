/* SPDX-License-Identifier: MIT */
#include "builder/store_tree.h"

#include <stdlib.h>
#include <string.h>

#include "builder/composefs.h"
#include "core/progress.h"
#include "core/workers.h"

#define TREE_LIMIT ((uint64_t)4 << 30) /* bytes of an image of names */

/* ---- adding ------------------------------------------------------------------------ */

struct adding {
	struct objects_stage *stage;
	const struct tree *tree;
	uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE];
};

struct source {
	const struct tree *tree;
	const struct tree_entry *entry;
};

static int write_piece(void *context, struct span data, uint64_t offset)
{
	return file_write(context, data.data, data.size, offset);
}

static int write_entry(void *context, const struct file *to)
{
	const struct source *s = context;
	/* The sink's context is what it writes to; it is only used as const. */
	return tree_stream(s->tree, s->entry, write_piece, (void *)(uintptr_t)to);
}

static int add_entry(void *context, unsigned worker, uint64_t item)
{
	const struct adding *a = context;
	const struct tree_entry *e = &a->tree->entries[item];
	(void)worker;
	if (!composefs_has_blob(e) || e->first_name != item)
		return 0;
	struct source source = {a->tree, e};
	int r = objects_stage_add(
		a->stage, e->size, write_entry, &source, a->digests[item]);
	progress_add(e->size);
	return r;
}

static int stage_tree(const struct adding *a, unsigned jobs, uint8_t *digest)
{
	BUFFER image = {0};
	progress_begin("adding", composefs_blob_bytes(a->tree));
	int r = workers_run(jobs, a->tree->n_entries, add_entry, (void *)(uintptr_t)a);
	progress_end();
	for (size_t i = 0; r == 0 && i < a->tree->n_entries; i++)
		memcpy(a->digests[i], a->digests[a->tree->entries[i].first_name],
			COMPOSEFS_DIGEST_SIZE);
	if (r == 0)
		r = composefs_make(a->tree,
			(const uint8_t(*)[COMPOSEFS_DIGEST_SIZE])a->digests,
			COMPOSEFS_FORMAT_DEFAULT, &image);
	return r < 0 ? r : objects_stage_span(a->stage, buffer_span(&image), digest);
}

int store_tree_add(const struct objects *o, const struct tree *tree, unsigned jobs,
	uint8_t digest[OBJECTS_DIGEST], uint64_t *n_added, uint64_t *n_known)
{
	AUTO_OBJECTS_STAGE stage = {.dirfd = -1};
	struct adding a = {&stage, tree,
		calloc(tree->n_entries, sizeof(uint8_t[COMPOSEFS_DIGEST_SIZE]))};
	int r = a.digests ? objects_stage_open(&stage, o) : error_memory();
	if (r == 0)
		r = stage_tree(&a, jobs, digest);
	if (r == 0)
		r = objects_stage_commit(&stage);
	*n_added = stage.n_added;
	*n_known = stage.n_known;
	free(a.digests);
	return r;
}

/* ---- reading ----------------------------------------------------------------------- */

int store_tree_open(struct store_tree *t, const struct objects *o, const uint8_t *digest)
{
	AUTO_FILE blob = FILE_CLOSED;
	*t = STORE_TREE_CLOSED;
	int r = objects_find(o, digest, &blob);
	if (r < 0)
		return r;
	if (blob.size > TREE_LIMIT)
		return 1;
	/* A copy nobody else can write to: what was checked is what is read. */
	r = file_in_memory(&t->image, blob.name, span_of("", 0));
	if (r == 0)
		r = objects_copy(o, digest, &t->image);
	t->image.size = blob.size;
	if (r == 0 && erofs_open(&t->erofs, &t->image, 0, t->image.size) < 0)
		r = 1;
	if (r != 0)
		store_tree_close(t);
	return r;
}

void store_tree_close(struct store_tree *t)
{
	file_close(&t->image);
}
