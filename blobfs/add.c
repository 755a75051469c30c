/* SPDX-License-Identifier: MIT */
#include "blobfs/add.h"

#include <stdlib.h>
#include <string.h>

#include "blobfs/leaves.h"
#include "core/huge.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/workers.h"

/* A blob up to here has a packed tree and is handled in memory as a whole. */
#define SMALL (BLOBFS_FANOUT * BLOBFS_BLOCK)
#define CHUNK ((size_t)4 << 20)
#define PIECE (BLOBFS_FANOUT * BLOBFS_BLOCK)
/* From this size on all threads hash one file together. */
#define TOGETHER ((uint64_t)32 << 20)

/* ---- small blobs: read and hashed by any thread, then put in order ------------------
 */

struct small {
	uint8_t *data; /* zero-padded to whole blocks */
	uint64_t size;
	size_t tree_size;
	uint8_t tree[BLOBFS_BLOCK];
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	bool is_hashed; /* a blob that is too large to be here has only its digest */
};

/* The bytes of memory that a blob of SIZE bytes is hashed in. */
static size_t room_for(uint64_t size)
{
	return size > SMALL ? PIECE
			    : (size_t)(u64_div_up(size, BLOBFS_BLOCK) * BLOBFS_BLOCK);
}

/* Reads a source into SMALL->data, where there is room for it, and hashes it. */
static int hash_small(struct small *small, const struct blobfs_source *source,
	const struct block_hash *hash)
{
	struct blobfs_leaves *l = malloc(sizeof *l);
	uint8_t digests[BLOBFS_BLOCK];
	int r = 0;
	if (!l)
		return error_memory();
	small->size = source->size;
	blobfs_leaves_start(l, hash, small->size);
	for (uint64_t at = 0; at < small->size && r == 0; at += PIECE) {
		uint64_t left = small->size - at;
		size_t size = left < PIECE ? (size_t)left : PIECE,
		       padded = room_for(size);
		r = source->read(source->context, at, small->data, size);
		memset(small->data + size, 0, padded - size);
		if (r == 0)
			r = block_hash_run(hash, small->data, padded / BLOBFS_BLOCK,
				digests, BLOBFS_DIGEST_SIZE);
		if (r == 0)
			r = blobfs_leaves_add(l, digests, padded / BLOBFS_BLOCK);
	}
	if (r == 0)
		r = blobfs_leaves_finish(l, small->digest);
	small->tree_size = l->levels ? l->used[0] : 0;
	memcpy(small->tree, l->block[0], small->tree_size);
	free(l);
	return r;
}

static int put_small(struct blobfs_store *s, const struct small *small)
{
	struct blobfs_entry e = {.size = small->size};
	uint64_t full = small->size / BLOBFS_BLOCK;
	size_t rest = small->size % BLOBFS_BLOCK;
	memcpy(e.digest, small->digest, sizeof e.digest);
	struct span top = small->tree_size ? span_of(small->tree, small->tree_size)
					   : span_of(small->data, (size_t)small->size);
	int r = blobfs_store_has_same(s, small->digest, small->size, top);
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

/* ---- large blobs: written while they are hashed. Where they may be already, they are
 * hashed once before, so that nothing is written in vain and no room is needed. -------
 */

struct large {
	struct blobfs_store *store;
	struct blobfs_leaves leaves;
	bool only_hashed; /* not written */
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
	if (r == 0 && full && !l->only_hashed)
		r = blobfs_writer_write(
			&l->store->writer, e->data + offset, l->chunk, full);
	if (r == 0 && size > full && !l->only_hashed)
		r = blobfs_writer_pack(
			&l->store->writer, l->chunk + full, size - full, &e->tail);
	if (r == 0)
		r = blobfs_leaves_add(&l->leaves, l->digests, l->n_blocks);
	return r;
}

static int add_chunks(struct large *l, struct blobfs_entry *e,
	const struct blobfs_source *source, unsigned jobs)
{
	for (uint64_t at = 0; at < source->size;) {
		uint64_t left = source->size - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;
		int r = interrupt_check();
		if (r == 0)
			r = source->read(source->context, at, l->chunk, n);
		if (r == 0)
			r = add_chunk(l, e, at, n, jobs);
		if (r < 0)
			return r;
		if (!l->only_hashed)
			progress_add(n);
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

static bool may_be_there(const struct blobfs_store *s)
{
	return !s->fresh && !s->rewrite;
}

/* Whether a large blob is there, 1 or 0. It is hashed for that unless IS_HASHED. */
static int has_large(struct large *l, const struct blobfs_source *source, unsigned jobs,
	bool is_hashed, uint8_t *digest)
{
	struct blobfs_entry e = {.size = source->size};
	int r = 0;
	if (!may_be_there(l->store))
		return 0;
	if (!is_hashed) {
		blobfs_leaves_start(&l->leaves, &l->store->device->hash, source->size);
		l->only_hashed = true;
		r = add_chunks(l, &e, source, jobs);
		l->only_hashed = false;
		memcpy(digest, e.digest, sizeof e.digest);
	}
	return r < 0 ? r : blobfs_store_has(l->store, digest);
}

static void pass_over(struct blobfs_store *s, const struct blobfs_source *source)
{
	s->n_unchanged++;
	progress_add(source->size);
}

/* IS_HASHED: DIGEST is what the source was found to have. */
static int add_large(struct blobfs_store *s, const struct blobfs_source *source,
	unsigned jobs, bool is_hashed, uint8_t *digest)
{
	struct large *l = malloc(sizeof *l);
	if (!l)
		return error_memory();
	l->store = s;
	l->only_hashed = false;
	l->chunk = malloc(CHUNK);
	l->digests = malloc(CHUNK / BLOBFS_BLOCK * BLOBFS_DIGEST_SIZE);
	int r = l->chunk && l->digests ? has_large(l, source, jobs, is_hashed, digest)
				       : error_memory();
	if (r == 0)
		r = put_large(l, source, jobs, digest);
	else if (r > 0)
		pass_over(s, source);
	free(l->chunk);
	free(l->digests);
	free(l);
	return r < 0 ? r : 0;
}

int blobfs_add(struct blobfs_store *s, const struct blobfs_source *source, unsigned jobs,
	uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	if (source->size > SMALL)
		return add_large(s, source, jobs, false, digest);
	struct small small = {.data = malloc(room_for(source->size) + 1)};
	int r = small.data ? hash_small(&small, source, &s->device->hash)
			   : error_memory();
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

#define BATCH_FILES 256
#define BATCH_BYTES ((size_t)8 << 20)

/* Files that are worked on together; what the store keeps for the next ones. */
struct blobfs_batch {
	struct small smalls[BATCH_FILES];
	uint8_t data[BATCH_BYTES + PIECE];
};

struct batch {
	struct blobfs_store *store;
	struct file *files;
	struct small *smalls;
};

static int load_item(void *context, unsigned worker, uint64_t item)
{
	(void)worker;
	struct batch *b = context;
	struct small *small = &b->smalls[item];
	struct blobfs_source source = file_source(&b->files[item]);
	bool is_large = source.size > SMALL;
	/* The largest are left to all threads together. */
	if (is_large && (source.size >= TOGETHER || !may_be_there(b->store)))
		return 0;
	small->is_hashed = true;
	return hash_small(small, &source, &b->store->device->hash);
}

static int put_item(struct batch *b, size_t item, unsigned jobs,
	const struct blobfs_add_result *result)
{
	struct file *f = &b->files[item];
	struct small *small = &b->smalls[item];
	struct blobfs_source source = file_source(f);
	int r = source.size > SMALL ? add_large(b->store, &source, jobs, small->is_hashed,
					      small->digest)
				    : put_small(b->store, small);
	if (source.size <= SMALL)
		progress_add(source.size);
	if (r == 0 && result)
		r = result->added(result->context, f->name, small->digest, source.size);
	file_close(f);
	return r;
}

/* How many of the N files come next, and where in memory. */
static size_t place_batch(struct blobfs_batch *memory, const struct file *files, size_t n)
{
	size_t used = 0, count = 0;
	while (count < n && count < BATCH_FILES && used < BATCH_BYTES) {
		struct small *small = &memory->smalls[count];
		small->is_hashed = false;
		small->data = memory->data + used;
		used += room_for(files[count++].size);
	}
	return count;
}

int blobfs_add_files(struct blobfs_store *s, struct file *files, size_t n, unsigned jobs,
	const struct blobfs_add_result *result)
{
	if (!s->batch && !(s->batch = huge_alloc(sizeof *s->batch)))
		return error_memory();
	int r = 0;
	for (size_t done = 0, count; done < n && r == 0; done += count) {
		struct batch b = {s, files + done, s->batch->smalls};
		count = place_batch(s->batch, files + done, n - done);
		r = interrupt_check();
		if (r == 0)
			r = workers_run(jobs, count, load_item, &b);
		for (size_t i = 0; i < count && r == 0; i++)
			r = put_item(&b, i, jobs, result);
	}
	return r;
}
