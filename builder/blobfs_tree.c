/* SPDX-License-Identifier: MIT */
#include "builder/blobfs_tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/composefs.h"
#include "builder/tree_build.h"
#include "core/output.h"
#include "core/progress.h"

/* So many files are open at once. */
#define BATCH 64

struct addition {
	struct blobfs_store *store;
	const struct tree *tree;
	unsigned jobs;
	uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE];
	size_t batch[BATCH]; /* entries whose files are open */
	struct file files[BATCH];
	size_t n_open, n_added;
};

/* ---- contents ---------------------------------------------------------------------- */

static int write_piece(void *context, struct span data, uint64_t offset)
{
	return file_write(context, data.data, data.size, offset);
}

/* An archive's file, which may lie in pieces, as one file in memory with its holes. */
static int gather(const struct tree *tree, const struct tree_entry *e, struct file *f)
{
	int r = file_in_memory(f, e->path, span_of("", 0));
	if (r == 0 && ftruncate(f->fd, (off_t)e->size) < 0)
		r = error_errno("%s: cannot make room for a copy in memory", e->path);
	if (r == 0)
		r = tree_stream(tree, e, write_piece, f);
	f->size = e->size;
	return r;
}

static int note_digest(void *context, const char *name,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size)
{
	struct addition *a = context;
	(void)name;
	(void)size;
	memcpy(a->digests[a->batch[a->n_added++]], digest, BLOBFS_DIGEST_SIZE);
	return 0;
}

/* Adds the open files, which closes them. */
static int add_batch(struct addition *a)
{
	struct blobfs_add_result result = {a, note_digest};
	a->n_added = 0;
	int r = blobfs_add_files(a->store, a->files, a->n_open, a->jobs, &result);
	/* After a failure some are still open. */
	while (a->n_open > 0)
		file_close(&a->files[--a->n_open]);
	return r;
}

static int add_contents(struct addition *a)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < a->tree->n_entries; i++) {
		const struct tree_entry *e = &a->tree->entries[i];
		struct file *f = &a->files[a->n_open];
		if (!composefs_has_blob(e) || e->first_name != i)
			continue;
		r = a->tree->dirfd >= 0 ? tree_open_file(a->tree, e, f)
					: gather(a->tree, e, f);
		if (r < 0) {
			file_close(f);
			break;
		}
		a->batch[a->n_open++] = i;
		if (a->n_open == BATCH)
			r = add_batch(a);
	}
	if (r == 0 && a->n_open)
		r = add_batch(a);
	for (size_t i = 0; i < a->n_open; i++)
		file_close(&a->files[i]);
	return r;
}

/* ---- trees ------------------------------------------------------------------------- */

static int add_names(struct addition *a, uint8_t *digest)
{
	BUFFER image = {0};
	for (size_t i = 0; i < a->tree->n_entries; i++)
		memcpy(a->digests[i], a->digests[a->tree->entries[i].first_name],
			COMPOSEFS_DIGEST_SIZE);
	int r = composefs_make(a->tree,
		(const uint8_t(*)[COMPOSEFS_DIGEST_SIZE])a->digests,
		COMPOSEFS_FORMAT_DEFAULT, &image);
	return r < 0 ? r : blobfs_add_span(a->store, buffer_span(&image), digest);
}

int blobfs_tree_add(struct blobfs_store *s, const struct tree *tree, unsigned jobs,
	uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct addition a = {.store = s,
		.tree = tree,
		.jobs = jobs,
		.digests = calloc(tree->n_entries, sizeof *a.digests)};
	if (!a.digests)
		return error_memory();
	progress_begin("blobs", composefs_blob_bytes(tree));
	int r = add_contents(&a);
	progress_end();
	if (r == 0)
		r = add_names(&a, digest);
	free(a.digests);
	return r;
}

static int fill(const struct file *f, const struct tree *tree, const char *name,
	unsigned jobs, uint8_t *digest)
{
	struct blobfs_device device;
	struct blobfs_store store = {0};
	struct blobfs_format format = {0};
	AUTO_BLOBFS_REFS refs = {0};
	int r = blobfs_device_on_file(&device, f);
	if (r < 0)
		return r;
	r = blobfs_store_format(&store, &device, &format);
	if (r == 0)
		r = blobfs_tree_add(&store, tree, jobs, digest);
	if (r == 0)
		r = blobfs_refs_set(&refs, name, digest);
	if (r == 0)
		r = blobfs_refs_store(&refs, &store);
	if (r == 0)
		r = blobfs_store_commit(&store);
	blobfs_store_close(&store);
	blobfs_device_close(&device);
	return r;
}

int blobfs_tree_save(const char *path, bool replace, const struct tree *tree,
	const char *name, unsigned jobs, uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	AUTO_OUTPUT out = OUTPUT_CLOSED;
	int r = output_open(&out, path, 0644, replace);
	if (r == 0)
		r = fill(&out.file, tree, name, jobs, digest);
	return r < 0 ? r : output_commit(&out);
}
