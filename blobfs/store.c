/* SPDX-License-Identifier: MIT */
#include "blobfs/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/reader_parts.h"

static int open_state(struct blobfs_store *s)
{
	struct blobfs_platform platform = blobfs_device_platform(s->device);
	int r = blobfs_open(
		&s->fs, &platform, s->slots, sizeof s->slots / sizeof s->slots[0]);
	return r ? blobfs_failed(&s->fs, s->device->name, r) : 0;
}

int blobfs_store_open(struct blobfs_store *s, struct blobfs_device *device)
{
	memset(s, 0, sizeof *s);
	s->device = device;
	return open_state(s);
}

void blobfs_store_close(struct blobfs_store *s)
{
	blobfs_pending_free(&s->pending);
	blobfs_writer_stop(&s->writer);
	blobfs_space_free(&s->space);
	free(s->pages);
	s->pages = NULL;
	free(s->batch);
	s->batch = NULL;
	s->changing = false;
}

static int start_change(struct blobfs_store *s)
{
	s->changing = true;
	s->space.name = s->device->name;
	s->space.building = s->fs.generation + 1;
	blobfs_space_join(&s->space);
	memcpy(s->refs, s->fs.refs, sizeof s->refs);
	s->refs_changed = false;
	return blobfs_writer_start(&s->writer, s->device, &s->space);
}

int blobfs_store_begin(struct blobfs_store *s)
{
	if (s->changing)
		return 0;
	if (s->fs.ro_compatible & ~BLOBFS_RO_COMPATIBLE)
		return error_format(
			"%s: has features that only allow reading it", s->device->name);
	if (s->fs.generation == UINT64_MAX)
		return error_format("%s: generation %ju is the last there can be",
			s->device->name, (uintmax_t)s->fs.generation);
	/* What the newer state holds would be written over. */
	if (s->fs.unread)
		return error_set(STATUS_FAILED, EIO,
			"%s: superblock %c cannot be read and may be the newer one: "
			"nothing is changed",
			s->device->name, blobfs_unread(&s->fs));
	int r = blobfs_space_load(&s->space, &s->fs, s->device);
	if (r < 0)
		return r;
	s->space.grows = s->device->is_file && s->fs.compatible & BLOBFS_COMPATIBLE_GROWS;
	s->space.reuse = !s->device->has_readers(s->device->context);
	/* A device that got larger is used whole. */
	if (!s->space.grows && s->device->size > s->space.limit)
		s->space.limit = s->device->size & ~(BLOBFS_BLOCK - 1);
	return start_change(s);
}

static int wipe_superblocks(struct blobfs_device *d)
{
	static const uint8_t zeros[BLOBFS_BLOCK];
	int r = d->write(d->context, 0, zeros, sizeof zeros);
	if (r == 0)
		r = d->write(d->context, BLOBFS_SUPER_B, zeros, sizeof zeros);
	return r < 0 ? r : d->flush(d->context);
}

int blobfs_store_format(struct blobfs_store *s, struct blobfs_device *device,
	const struct blobfs_format *format)
{
	memset(s, 0, sizeof *s);
	s->device = device;
	s->fresh = true;
	if (format->size && format->size < BLOBFS_MIN_END + 2 * BLOBFS_BLOCK)
		return error_usage("%s: %ju bytes are too few for an image", device->name,
			(uintmax_t)format->size);
	int r = wipe_superblocks(device);
	if (r < 0)
		return r;
	memcpy(s->fs.uuid, format->uuid, sizeof s->fs.uuid);
	s->fs.compatible = format->size ? 0 : BLOBFS_COMPATIBLE_GROWS;
	s->space.grows = !format->size;
	s->space.limit = format->size & ~(BLOBFS_BLOCK - 1);
	s->space.end = BLOBFS_MIN_END;
	s->space.reuse = true;
	/* Between the superblocks. */
	r = blobfs_space_give(
		&s->space, BLOBFS_BLOCK, BLOBFS_SUPER_B / BLOBFS_BLOCK - 1, 0);
	return r < 0 ? r : start_change(s);
}

/* Whether all of the blob is what its hashes say; what cannot be read is not. */
static int is_whole(struct blobfs_store *s, const struct blobfs_blob *blob)
{
	size_t chunk = (size_t)1 << 20, n;
	uint8_t *data = malloc(chunk);
	if (!data)
		return error_memory();
	int r = 0;
	for (uint64_t at = 0; at < blob->entry.size && r == 0; at += n)
		r = blobfs_read(&s->fs, blob, at, data, chunk, &n);
	free(data);
	return r == 0;
}

enum { LOOK = 2 };

/* What is known of a blob without looking at the device: 1, 0, or LOOK. */
static int is_pending(const struct blobfs_store *s, const uint8_t *digest)
{
	const struct blobfs_entry *e = blobfs_pending_find(&s->pending, digest);
	if (e)
		return e->size != BLOBFS_TOMBSTONE;
	return s->fresh || s->rewrite ? 0 : LOOK;
}

/* An enum blobfs_error. */
static int find_committed(
	struct blobfs_store *s, const uint8_t *digest, struct blobfs_entry *entry)
{
	struct blobfs_place place;
	/* Without memory for them, pages are read again and again. */
	if (!s->pages)
		s->pages = calloc(1, sizeof *s->pages);
	return blobfs_find_place(&s->fs, s->pages, digest, entry, &place);
}

int blobfs_store_has(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct blobfs_entry entry;
	struct blobfs_blob blob;
	int known = is_pending(s, digest);
	if (known != LOOK)
		return known;
	int r = find_committed(s, digest, &entry);
	if (r == 0)
		r = blobfs_open_entry(&s->fs, &entry, &blob);
	if (r == BLOBFS_IO)
		return blobfs_failed(&s->fs, s->device->name, r);
	return r == 0 && s->verify_all ? is_whole(s, &blob) : r == 0;
}

int blobfs_store_has_same(struct blobfs_store *s,
	const uint8_t digest[BLOBFS_DIGEST_SIZE], uint64_t size, struct span top)
{
	struct blobfs_blob blob;
	int known = is_pending(s, digest);
	if (known != LOOK)
		return known;
	if (s->verify_all)
		return blobfs_store_has(s, digest);
	int r = find_committed(s, digest, &blob.entry);
	if (r == 0)
		r = blob.entry.size == size ? blobfs_place(&s->fs, &blob)
					    : BLOBFS_DAMAGED;
	if (r == 0 && size > 0)
		r = blobfs_read_blocks(&s->fs, &blob, blob.levels, 0, s->fs.block, 1);
	if (r == BLOBFS_IO)
		return blobfs_failed(&s->fs, s->device->name, r);
	return r == 0 && memcmp(s->fs.block, top.data, top.size) == 0;
}

int blobfs_store_remove(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct blobfs_entry e = {.size = BLOBFS_TOMBSTONE};
	const struct blobfs_entry *added = blobfs_pending_find(&s->pending, digest);
	int r = 0;
	if (added)
		r = added->size == BLOBFS_TOMBSTONE ? BLOBFS_MISSING : 0;
	else
		r = blobfs_find(&s->fs, digest, &e);
	/* A damaged page is no reason to keep it; a missing entry is. */
	if (r == BLOBFS_MISSING || r == BLOBFS_IO)
		return blobfs_failed(&s->fs, s->device->name, r);
	e = (struct blobfs_entry){.size = BLOBFS_TOMBSTONE};
	memcpy(e.digest, digest, sizeof e.digest);
	return blobfs_pending_set(&s->pending, &e);
}

int blobfs_store_load(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	uint64_t limit, struct buffer *b)
{
	struct blobfs_blob blob;
	int r = blobfs_open_blob(&s->fs, digest, &blob);
	if (r)
		return blobfs_failed(&s->fs, s->device->name, r);
	if (blob.entry.size > limit)
		return error_format("%s: a blob of %ju bytes, more than the %ju allowed",
			s->device->name, (uintmax_t)blob.entry.size, (uintmax_t)limit);
	size_t size = (size_t)blob.entry.size, n;
	if ((r = buffer_reserve(b, size)) < 0)
		return r;
	r = blobfs_read(&s->fs, &blob, 0, b->data + b->size, size, &n);
	if (r)
		return blobfs_failed(&s->fs, s->device->name, r);
	b->size += size;
	b->data[b->size] = 0;
	return 0;
}
