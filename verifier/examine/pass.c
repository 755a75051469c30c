/* SPDX-License-Identifier: MIT */
#include "verifier/examine/pass.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/block_hash.h"
#include "core/huge.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/workers.h"

/* Read at a time; a multiple of all block sizes. */
#define CHUNK ((size_t)8 << 20)

/* What is done with each chunk, each by one thread at a time; the longest first. */
enum lane {
	LANE_MD5,
	LANE_SHA1,
	LANE_SHA256,
	LANE_PIECES,
	LANE_LEAVES,
	LANE_LEAVES_2,
	LANE_COPY,
	LANE_READ,
	N_LANES,
};

struct work {
	struct pass *pass;
	EVP_MD_CTX *contexts[LANE_PIECES + 1];
	struct block_hash hash;
	uint8_t *chunks[2];
	uint8_t *scratch;         /* digests of a chunk, to compare */
	const uint8_t *data;      /* this chunk: */
	size_t size;              /* its bytes */
	size_t filled;            /* filled up with zeros to whole blocks */
	uint64_t offset;          /* in the file */
	uint64_t piece_left;      /* bytes until the current piece is full */
	enum lane lanes[N_LANES]; /* that are in use */
	size_t n_lanes;
};

uint64_t pass_blocks(uint64_t size, uint32_t block_size)
{
	return u64_div_up(size, block_size);
}

static int crypto_failed(void)
{
	return error_set(STATUS_FAILED, EIO, "hashing failed in OpenSSL");
}

static int start_digest(struct work *w, enum lane lane, const EVP_MD *algorithm)
{
	w->lanes[w->n_lanes++] = lane;
	w->contexts[lane] = EVP_MD_CTX_new();
	if (!w->contexts[lane])
		return error_memory();
	return EVP_DigestInit_ex(w->contexts[lane], algorithm, NULL) ? 0
								     : crypto_failed();
}

static int start(struct work *w)
{
	struct pass *p = w->pass;
	int r = 0;
	if (p->interop && (r = start_digest(w, LANE_MD5, EVP_md5())) == 0)
		r = start_digest(w, LANE_SHA1, EVP_sha1());
	if (r == 0)
		r = start_digest(w, LANE_SHA256, EVP_sha256());
	if (r == 0 && p->piece_size) {
		p->digests->piece_size = w->piece_left = p->piece_size;
		r = start_digest(w, LANE_PIECES, EVP_sha256());
		p->digests->pieces = calloc(u64_div_up(p->file->size, p->piece_size) + 1,
			sizeof *p->digests->pieces);
		if (r == 0 && !p->digests->pieces)
			r = error_memory();
	}
	if (r == 0 && p->leaves) {
		w->lanes[w->n_lanes++] = LANE_LEAVES;
		w->lanes[w->n_lanes++] = LANE_LEAVES_2;
		r = block_hash_init(&w->hash, HASH_SHA256, p->block_size,
			span_of(NULL, 0), span_of(NULL, 0));
	}
	if (p->copy)
		w->lanes[w->n_lanes++] = LANE_COPY;
	w->lanes[w->n_lanes++] = LANE_READ;
	w->chunks[0] = huge_alloc(CHUNK);
	w->chunks[1] = huge_alloc(CHUNK);
	w->scratch = malloc(CHUNK / PASS_BLOCK_MIN * PASS_DIGEST);
	return r == 0 && (!w->chunks[0] || !w->chunks[1] || !w->scratch) ? error_memory()
									 : r;
}

static void stop(struct work *w)
{
	for (size_t i = 0; i <= LANE_PIECES; i++)
		EVP_MD_CTX_free(w->contexts[i]);
	block_hash_free(&w->hash);
	free(w->chunks[0]);
	free(w->chunks[1]);
	free(w->scratch);
}

/* ---- the lanes ----------------------------------------------------------------------
 */

static int end_piece(struct work *w)
{
	struct file_digests *d = w->pass->digests;
	EVP_MD_CTX *context = w->contexts[LANE_PIECES];
	w->piece_left = d->piece_size;
	return EVP_DigestFinal_ex(context, d->pieces[d->n_pieces++], NULL) &&
			       EVP_DigestInit_ex(context, EVP_sha256(), NULL)
		       ? 0
		       : crypto_failed();
}

static int hash_pieces(struct work *w)
{
	int r = 0;
	for (size_t done = 0; done < w->size && r == 0;) {
		size_t n = w->size - done;
		if (n > w->piece_left)
			n = (size_t)w->piece_left;
		if (!EVP_DigestUpdate(w->contexts[LANE_PIECES], w->data + done, n))
			return crypto_failed();
		done += n;
		w->piece_left -= n;
		if (w->piece_left == 0)
			r = end_piece(w);
	}
	return r;
}

/* The block digests of one half of the chunk: the first or the second. */
static int hash_leaves(struct work *w, bool second)
{
	const struct pass *p = w->pass;
	size_t n_blocks = w->filled / p->block_size;
	size_t from = second ? n_blocks / 2 : 0, to = second ? n_blocks : n_blocks / 2;
	uint8_t *digests =
		p->compare ? w->scratch
			   : p->leaves->data + w->offset / p->block_size * PASS_DIGEST;
	return block_hash_run(&w->hash, w->data + from * p->block_size, to - from,
		digests + from * PASS_DIGEST, PASS_DIGEST);
}

static void copy_out(struct work *w)
{
	const struct pass *p = w->pass;
	uint64_t end = p->copy_offset + p->copy->size;
	uint64_t from = w->offset > p->copy_offset ? w->offset : p->copy_offset;
	uint64_t to = w->offset + w->size < end ? w->offset + w->size : end;
	if (from < to)
		memcpy(p->copy->data + (from - p->copy_offset),
			w->data + (from - w->offset), (size_t)(to - from));
}

static int read_next(struct work *w)
{
	const struct file *f = w->pass->file;
	uint64_t offset = w->offset + w->size;
	size_t size = f->size - offset < CHUNK ? (size_t)(f->size - offset) : CHUNK;
	uint8_t *other = w->data == w->chunks[0] ? w->chunks[1] : w->chunks[0];
	return size ? file_read(f, other, size, offset) : 0;
}

static int run_lane(void *context, unsigned worker, uint64_t item)
{
	struct work *w = context;
	enum lane lane = w->lanes[item];
	(void)worker;
	switch (lane) {
	case LANE_MD5:
	case LANE_SHA1:
	case LANE_SHA256:
		return EVP_DigestUpdate(w->contexts[lane], w->data, w->size)
			       ? 0
			       : crypto_failed();
	case LANE_PIECES:
		return hash_pieces(w);
	case LANE_LEAVES:
	case LANE_LEAVES_2:
		return hash_leaves(w, lane == LANE_LEAVES_2);
	case LANE_COPY:
		copy_out(w);
		return 0;
	default:
		return read_next(w);
	}
}

/* ---- chunk after chunk ---------------------------------------------------------------
 */

/* The blocks of this chunk that are not what they were. */
static int compare_leaves(struct work *w)
{
	static const uint8_t unknown[PASS_DIGEST];
	struct pass *p = w->pass;
	uint64_t first = w->offset / p->block_size;
	int r = 0;
	for (size_t i = 0; i < w->filled / p->block_size && r == 0; i++) {
		const uint8_t *old = p->leaves->data + (first + i) * PASS_DIGEST;
		if (memcmp(old, w->scratch + i * PASS_DIGEST, PASS_DIGEST) != 0 &&
			memcmp(old, unknown, PASS_DIGEST) != 0)
			r = ranges_add(&p->changed, first + i, 1);
	}
	return r;
}

static int do_chunk(struct work *w)
{
	struct pass *p = w->pass;
	int r = workers_run(0, w->n_lanes, run_lane, w);
	if (r == 0 && p->leaves && p->compare)
		r = compare_leaves(w);
	progress_add(w->size);
	if (r == 0 && p->tick)
		r = p->tick(p->context);
	return r < 0 ? r : interrupt_check();
}

/* Makes the chunk that was read the one to work on; false at the end. */
static bool next_chunk(struct work *w)
{
	uint64_t left = w->pass->file->size - (w->offset + w->size);
	uint64_t filled;
	w->offset += w->size;
	w->data = w->data == w->chunks[0] ? w->chunks[1] : w->chunks[0];
	w->size = left < CHUNK ? (size_t)left : CHUNK;
	if (u64_align(w->size, w->pass->block_size, &filled) < 0)
		return false;
	w->filled = (size_t)filled;
	memset((uint8_t *)(uintptr_t)w->data + w->size, 0, w->filled - w->size);
	return w->size > 0;
}

/* The digest over all block digests, as dm-verity makes it; LEAVES is complete. */
static int merkle_root(const struct work *w, uint8_t *root)
{
	const uint32_t tree_block = 4096;
	AUTO_BLOCK_HASH hash = {0};
	uint64_t n = pass_blocks(w->pass->file->size, w->pass->block_size);
	BUFFER level = {0}, above = {0};
	int r = block_hash_init(
		&hash, HASH_SHA256, tree_block, span_of(NULL, 0), span_of(NULL, 0));
	if (r == 0)
		r = buffer_append(&level, w->pass->leaves->data, n * PASS_DIGEST);
	while (r == 0 && n > 1) {
		uint64_t blocks = u64_div_up(n * PASS_DIGEST, tree_block);
		above.size = 0;
		r = buffer_append_zeros(&level, blocks * tree_block - n * PASS_DIGEST);
		if (r == 0)
			r = buffer_append_zeros(&above, blocks * PASS_DIGEST);
		if (r == 0)
			r = block_hash_run(
				&hash, level.data, blocks, above.data, PASS_DIGEST);
		level.size = 0;
		if (r == 0)
			r = buffer_append(&level, above.data, above.size);
		n = blocks;
	}
	if (r == 0)
		memcpy(root, level.data, PASS_DIGEST);
	return r;
}

static int finish(struct work *w)
{
	struct file_digests *d = w->pass->digests;
	int good = EVP_DigestFinal_ex(w->contexts[LANE_SHA256], d->sha256, NULL);
	if (w->pass->interop) {
		good = good && EVP_DigestFinal_ex(w->contexts[LANE_MD5], d->md5, NULL);
		good = good && EVP_DigestFinal_ex(w->contexts[LANE_SHA1], d->sha1, NULL);
		d->interop = good;
	}
	int r = good ? 0 : crypto_failed();
	if (r == 0 && d->piece_size && w->piece_left < d->piece_size)
		r = end_piece(w);
	if (r == 0 && w->pass->leaves && !w->pass->compare) {
		d->block_size = w->pass->block_size;
		r = merkle_root(w, d->merkle_root);
	}
	d->bytes = w->pass->file->size;
	d->done = r == 0;
	return r;
}

int pass_run(struct pass *p)
{
	struct work w = {.pass = p};
	int r = start(&w);
	w.data = w.chunks[1];
	if (r == 0)
		r = read_next(&w);
	while (r == 0 && next_chunk(&w))
		r = do_chunk(&w);
	if (r == 0)
		r = finish(&w);
	stop(&w);
	return r;
}
