/* SPDX-License-Identifier: MIT */
/*
 * blobfs: which blob, by its digest, and which of its bytes. The index is believed where
 * its pages have the seal they should: nothing is handed out, only named.
 */
#include <errno.h>
#include <string.h>

#include "blobfs/refs.h"
#include "blobfs/store.h"
#include "core/hex.h"
#include "verifier/locator.h"

struct blobs {
	struct locator *l;
	struct blobfs_store store;
	struct blobfs_refs refs;
};

/* The file system does not have to start where the file does. */
static int read_part(void *context, uint64_t offset, void *data, size_t size)
{
	const struct locator *l = context;
	if (offset > l->size || size > l->size - offset)
		return error_format("%s: blobfs: offset %ju is outside the file system",
			l->file->name, (uintmax_t)offset);
	return file_read(l->file, data, size, l->offset + offset);
}

static const char *ref_of(const struct blobs *b, const uint8_t *digest)
{
	for (size_t i = 0; i < b->refs.n_refs; i++)
		if (!memcmp(b->refs.refs[i].digest, digest, BLOBFS_DIGEST_SIZE))
			return b->refs.refs[i].name;
	return NULL;
}

static int use(struct blobs *b, const struct blobfs_entry *e, uint64_t place,
	uint64_t size, uint64_t file_offset)
{
	char digest[2 * BLOBFS_DIGEST_SIZE + 1];
	if (size == 0 || !locator_wants(b->l, place, size))
		return 0;
	const char *ref = ref_of(b, e->digest);
	const char *what = locator_text(b->l, "blob sha256:%s%s%s%s",
		hex_encode(e->digest, BLOBFS_DIGEST_SIZE, digest), ref ? " (ref " : "",
		ref ? ref : "", ref ? ")" : "");
	if (!what)
		return error_memory();
	int r = locator_use(b->l, &(struct located){.kind = LOCATED_BLOB,
					  .offset = place,
					  .size = size,
					  .file_offset = file_offset,
					  .file_size = size,
					  .what = what});
	return r < 0 ? r : 0;
}

/* Bytes of a blob's tree on the device; docs/blobfs-format.md. */
static uint64_t tree_size(uint64_t size)
{
	uint64_t n = u64_div_up(size, BLOBFS_BLOCK), total = 0;
	if (n <= BLOBFS_FANOUT)
		return n > 1 ? n * BLOBFS_DIGEST_SIZE : 0;
	while (n > 1) {
		n = u64_div_up(n, BLOBFS_FANOUT);
		total += n * BLOBFS_BLOCK;
	}
	return total;
}

static int use_tree(struct blobs *b, const struct blobfs_entry *e)
{
	char digest[2 * BLOBFS_DIGEST_SIZE + 1];
	uint64_t size = tree_size(e->size);
	if (size == 0 || !locator_wants(b->l, e->tree, size))
		return 0;
	const char *what = locator_text(b->l, "hash tree of blob sha256:%s",
		hex_encode(e->digest, BLOBFS_DIGEST_SIZE, digest));
	return what ? locator_meta(b->l, e->tree, size, what) : error_memory();
}

static int use_entry(struct blobs *b, const struct blobfs_entry *e)
{
	uint64_t tail = e->size % BLOBFS_BLOCK, full = e->size - tail;
	if (e->data == 0 && e->tail == 0)
		return 0;
	int r = use(b, e, e->data, full, 0);
	if (r == 0)
		r = use(b, e, e->tail, tail, full);
	return r < 0 ? r : use_tree(b, e);
}

static int use_index(struct blobs *b)
{
	const struct blobfs *fs = &b->store.fs;
	int r = locator_meta(b->l, 0, BLOBFS_BLOCK, "superblock A");
	if (r == 0)
		r = locator_meta(b->l, 1 << 20, BLOBFS_BLOCK, "superblock B");
	for (uint32_t i = 0; r == 0 && i < fs->n_runs; i++)
		r = locator_meta(b->l, fs->runs[i].offset,
			fs->runs[i].pages * BLOBFS_BLOCK, "index");
	if (r == 0 && fs->free.pages)
		r = locator_meta(b->l, fs->free.offset, fs->free.pages * BLOBFS_BLOCK,
			"free list");
	return r;
}

static int walk_all(struct blobs *b)
{
	struct blobfs_walk walk = {0};
	struct blobfs_entry entry;
	int r = use_index(b);
	if (r == 0)
		r = blobfs_walk_start(&walk, &b->store.fs, b->l->file->name, NULL, 0,
			b->store.fs.n_runs);
	while (r == 0 && (r = blobfs_walk_next(&walk, &entry)) == 1)
		r = entry.size == BLOBFS_TOMBSTONE ? 0 : use_entry(b, &entry);
	blobfs_walk_stop(&walk);
	return r;
}

int locate_blobfs(struct locator *l)
{
	struct blobs b = {.l = l};
	struct blobfs_device device = {
		.context = l, .name = l->file->name, .size = l->size, .read = read_part};
	int r = blobfs_device_init(&device);
	if (r == 0)
		r = blobfs_store_open(&b.store, &device);
	/* Names of blobs are a convenience: damage to them is told, no more. */
	if (r == 0 && blobfs_refs_load(&b.refs, &b.store) < 0)
		r = locator_fault(l);
	if (r == 0)
		r = walk_all(&b);
	if (r < 0 && r != -ENOMEM)
		r = locator_fault(l);
	blobfs_refs_free(&b.refs);
	blobfs_store_close(&b.store);
	blobfs_device_close(&device);
	return r;
}
