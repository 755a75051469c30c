/* SPDX-License-Identifier: MIT */
#include "blobfs/add.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/leaves.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/workers.h"

/* A blob up to here has a packed tree and is handled in memory as a whole. */
#define SMALL (BLOBFS_FANOUT * BLOBFS_BLOCK)
#define CHUNK ((size_t)4 << 20)
#define PIECE (BLOBFS_FANOUT * BLOBFS_BLOCK)

/* ---- small blobs: read and hashed by any thread, then put in order ------------------
 */

struct small {
	uint8_t *data; /* zero-padded to whole blocks */
	uint64_t size;
	size_t tree_size;
	uint8_t tree[BLOBFS_BLOCK];
	uint8_t digest[BLOBFS_DIGEST_SIZE];
};

static int hash_small(struct small *small, const struct block_hash *hash)
{
	struct blobfs_leaves *l = malloc(sizeof *l);
	uint8_t digests[BLOBFS_BLOCK];
	size_t n = (size_t)u64_div_up(small->size, BLOBFS_BLOCK);
	if (!l)
		return error_memory();
	blobfs_leaves_start(l, hash, small->size);
	int r = n ? block_hash_run(hash, small->data, n, digests, BLOBFS_DIGEST_SIZE) : 0;
	if (r == 0)
		r = blobfs_leaves_add(l, digests, n);
	if (r == 0)
		r = blobfs_leaves_finish(l, small->digest);
	small->tree_size = l->levels ? l->used[0] : 0;
	memcpy(small->tree, l->block[0], small->tree_size);
	free(l);
	return r;
}

static int load_small(struct small *small, const struct blobfs_source *source)
{
	size_t padded = (size_t)(u64_div_up(source->size, BLOBFS_BLOCK) * BLOBFS_BLOCK);
	small->size = source->size;
	small->data = malloc(padded + 1);
	if (!small->data)
		return error_memory();
	memset(small->data + source->size, 0, padded - (size_t)source->size);
	return source->size ? source->read(source->context, 0, small->data,
				      (size_t)source->size)
			    : 0;
}

static int put_small(struct blobfs_store *s, const struct small *small)
{
	struct blobfs_entry e = {.size = small->size};
	uint64_t full = small->size / BLOBFS_BLOCK;
	size_t rest = small->size % BLOBFS_BLOCK;
	memcpy(e.digest, small->digest, sizeof e.digest);
	int r = blobfs_store_has(s, small->digest);
	if (r != 0) {
		s->n_unchanged += r > 0;
		return r < 0 ? r : 0;
	}
	if (full) {
		r = blobfs_space_take(&s->space, full, &e.data);
		if (r == 0)
			r = blobfs_writer_write(&s->writer, e.data, small->data,
				(size_t)(full * BLOBFS_BLOCK));
	}
	if (r == 0 && rest)
		r = blobfs_writer_pack(
			&s->writer, small->data + full * BLOBFS_BLOCK, rest, &e.tail);
	if (r == 0 && small->tree_size)
		r = blobfs_writer_pack(
			&s->writer, small->tree, small->tree_size, &e.tree);
	return r < 0 ? r : blobfs_pending_set(&s->pending, &e);
}

/* ---- large blobs: written while they are hashed, taken back if they were there ------
 */

struct large {
	struct blobfs_store *store;
	struct blobfs_leaves leaves;
	uint64_t tree;
	uint8_t *chunk;
	uint8_t *digests;
	size_t n_blocks; /* of the chunk */
};

static int emit_tree(void *context, uint64_t offset, const uint8_t *block)
{
	struct large *l = context;
	return blobfs_writer_write(
		&l->store->writer, l->tree + offset, block, BLOBFS_BLOCK);
}

static int hash_piece(void *context, unsigned worker, uint64_t item)
{
	(void)worker;
	struct large *l = context;
	size_t first = (size_t)(item * BLOBFS_FANOUT), n = l->n_blocks - first;
	if (n > BLOBFS_FANOUT)
		n = BLOBFS_FANOUT;
	return block_hash_run(&l->store->device->hash, l->chunk + first * BLOBFS_BLOCK, n,
		l->digests + first * BLOBFS_DIGEST_SIZE, BLOBFS_DIGEST_SIZE);
}

/* One chunk of SIZE bytes that lies at OFFSET of the source. */
static int add_chunk(struct large *l, struct blobfs_entry *e, uint64_t offset,
	size_t size, unsigned jobs)
{
	size_t full = size & ~(size_t)(BLOBFS_BLOCK - 1);
	l->n_blocks = (size_t)u64_div_up(size, BLOBFS_BLOCK);
	memset(l->chunk + size, 0, l->n_blocks * BLOBFS_BLOCK - size);
	int r = workers_run(jobs, u64_div_up(l->n_blocks, BLOBFS_FANOUT), hash_piece, l);
	if (r == 0 && full)
		r = blobfs_writer_write(
			&l->store->writer, e->data + offset, l->chunk, full);
	if (r == 0 && size > full)
		r = blobfs_writer_pack(
			&l->store->writer, l->chunk + full, size - full, &e->tail);
	if (r == 0)
		r = blobfs_leaves_add(&l->leaves, l->digests, l->n_blocks);
	progress_add(size);
	return r;
}

static int add_chunks(struct large *l, struct blobfs_entry *e,
	const struct blobfs_source *source, unsigned jobs)
{
	for (uint64_t at = 0; at < source->size;) {
		size_t n =
			source->size - at < CHUNK ? (size_t)(source->size - at) : CHUNK;
		int r = interrupt_check();
		if (r == 0)
			r = source->read(source->context, at, l->chunk, n);
		if (r == 0)
			r = add_chunk(l, e, at, n, jobs);
		if (r < 0)
			return r;
		at += n;
	}
	return blobfs_leaves_finish(&l->leaves, e->digest);
}

/* The blob was there already: its extents were never part of any state. */
static int take_back(
	struct blobfs_store *s, const struct large *l, uint64_t data, uint64_t full)
{
	s->n_unchanged++;
	int r = blobfs_space_give(&s->space, l->tree, l->leaves.tree_blocks, 0);
	return r < 0 ? r : blobfs_space_give(&s->space, data, full, 0);
}

static int put_large(struct large *l, const struct blobfs_source *source, unsigned jobs,
	uint8_t *digest)
{
	struct blobfs_store *s = l->store;
	struct blobfs_entry e = {.size = source->size};
	uint64_t full = source->size / BLOBFS_BLOCK;
	blobfs_leaves_start(&l->leaves, &s->device->hash, source->size);
	l->leaves.emit = emit_tree;
	l->leaves.context = l;
	int r = blobfs_space_take(&s->space, full, &e.data);
	if (r == 0)
		r = blobfs_space_take(&s->space, l->leaves.tree_blocks, &l->tree);
	e.tree = l->tree;
	if (r == 0)
		r = add_chunks(l, &e, source, jobs);
	if (r == 0)
		memcpy(digest, e.digest, sizeof e.digest);
	if (r == 0 && (r = blobfs_store_has(s, e.digest)) > 0)
		return take_back(s, l, e.data, full);
	return r < 0 ? r : blobfs_pending_set(&s->pending, &e);
}

static int add_large(struct blobfs_store *s, const struct blobfs_source *source,
	unsigned jobs, uint8_t *digest)
{
	struct large *l = malloc(sizeof *l);
	if (!l)
		return error_memory();
	l->store = s;
	l->chunk = malloc(CHUNK);
	l->digests = malloc(CHUNK / BLOBFS_BLOCK * BLOBFS_DIGEST_SIZE);
	int r = l->chunk && l->digests ? put_large(l, source, jobs, digest)
				       : error_memory();
	free(l->chunk);
	free(l->digests);
	free(l);
	return r;
}

int blobfs_add(struct blobfs_store *s, const struct blobfs_source *source, unsigned jobs,
	uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	if (source->size > SMALL)
		return add_large(s, source, jobs, digest);
	struct small small = {0};
	int r = load_small(&small, source);
	if (r == 0)
		r = hash_small(&small, &s->device->hash);
	if (r == 0)
		r = put_small(s, &small);
	if (r == 0)
		memcpy(digest, small.digest, sizeof small.digest);
	free(small.data);
	return r;
}

static int read_span(void *context, uint64_t offset, void *data, size_t size)
{
	struct span *s = context;
	memcpy(data, s->data + offset, size);
	return 0;
}

int blobfs_add_span(
	struct blobfs_store *s, struct span data, uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct blobfs_source source = {&data, data.size, read_span};
	return blobfs_add(s, &source, 1, digest);
}

/* ---- many files ---------------------------------------------------------------------
 */

static int read_file(void *context, uint64_t offset, void *data, size_t size)
{
	return file_read(context, data, size, offset);
}

static struct blobfs_source file_source(struct file *f)
{
	return (struct blobfs_source){f, f->size, read_file};
}

struct batch {
	struct blobfs_store *store;
	struct file *files;
	struct small *smalls;
};

static int load_item(void *context, unsigned worker, uint64_t item)
{
	(void)worker;
	struct batch *b = context;
	struct blobfs_source source = file_source(&b->files[item]);
	if (source.size > SMALL)
		return 0;
	int r = load_small(&b->smalls[item], &source);
	return r < 0 ? r : hash_small(&b->smalls[item], &b->store->device->hash);
}

static int put_item(struct batch *b, size_t item, unsigned jobs,
	const struct blobfs_add_result *result)
{
	struct file *f = &b->files[item];
	struct small *small = &b->smalls[item];
	struct blobfs_source source = file_source(f);
	int r = source.size > SMALL ? add_large(b->store, &source, jobs, small->digest)
				    : put_small(b->store, small);
	if (source.size <= SMALL)
		progress_add(source.size);
	free(small->data);
	small->data = NULL;
	if (r == 0 && result)
		r = result->added(result->context, f->name, small->digest, source.size);
	file_close(f);
	return r;
}

#define BATCH_FILES 256
#define BATCH_BYTES ((uint64_t)8 << 20)

/* How many of the N files come next: few enough to be held in memory. */
static size_t batch_size(const struct file *files, size_t n)
{
	uint64_t bytes = 0;
	size_t count = 0;
	while (count < n && count < BATCH_FILES) {
		uint64_t size = files[count].size > SMALL ? 0 : files[count].size;
		if (count && bytes + size > BATCH_BYTES)
			break;
		bytes += size;
		count++;
	}
	return count;
}

int blobfs_add_files(struct blobfs_store *s, struct file *files, size_t n, unsigned jobs,
	const struct blobfs_add_result *result)
{
	struct small *smalls = calloc(BATCH_FILES, sizeof *smalls);
	if (!smalls)
		return error_memory();
	int r = 0;
	for (size_t done = 0, count; done < n && r == 0; done += count) {
		struct batch b = {s, files + done, smalls};
		count = batch_size(files + done, n - done);
		memset(smalls, 0, count * sizeof *smalls);
		r = interrupt_check();
		if (r == 0)
			r = workers_run(jobs, count, load_item, &b);
		for (size_t i = 0; i < count; i++) {
			if (r == 0)
				r = put_item(&b, i, jobs, result);
			free(smalls[i].data);
		}
	}
	free(smalls);
	return r;
}
