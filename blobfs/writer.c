/* SPDX-License-Identifier: MIT */
#include "blobfs/writer.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE ((size_t)1 << 20)

struct blobfs_pack {
	uint64_t offset;
	size_t used;
	uint8_t block[BLOBFS_BLOCK];
};

int blobfs_writer_start(
	struct blobfs_writer *w, struct blobfs_device *device, struct blobfs_space *space)
{
	*w = (struct blobfs_writer){.device = device, .space = space};
	w->buffer = malloc(BUFFER_SIZE);
	w->packs = calloc(BLOBFS_WRITER_PACKS, sizeof *w->packs);
	return w->buffer && w->packs ? 0 : error_memory();
}

void blobfs_writer_stop(struct blobfs_writer *w)
{
	free(w->buffer);
	free(w->packs);
	*w = (struct blobfs_writer){0};
}

static int write_out(struct blobfs_writer *w)
{
	size_t size = w->buffered;
	w->buffered = 0;
	if (size == 0)
		return 0;
	return w->device->write(w->device->context, w->buffer_offset, w->buffer, size);
}

int blobfs_writer_write(
	struct blobfs_writer *w, uint64_t offset, const void *data, size_t size)
{
	bool follows = offset == w->buffer_offset + w->buffered;
	if (!follows || size > BUFFER_SIZE - w->buffered) {
		int r = write_out(w);
		if (r < 0)
			return r;
		w->buffer_offset = offset;
	}
	if (size > BUFFER_SIZE)
		return w->device->write(w->device->context, offset, data, size);
	memcpy(w->buffer + w->buffered, data, size);
	w->buffered += size;
	return 0;
}

static int write_pack(struct blobfs_writer *w, const struct blobfs_pack *p)
{
	return w->device->write(w->device->context, p->offset, p->block, BLOBFS_BLOCK);
}

/* The open block that SIZE more bytes fill best, or NULL. */
static struct blobfs_pack *best_pack(const struct blobfs_writer *w, size_t size)
{
	struct blobfs_pack *best = NULL;
	for (unsigned i = 0; i < w->n_packs; i++) {
		struct blobfs_pack *p = &w->packs[i];
		if (size <= BLOBFS_BLOCK - p->used && (!best || p->used > best->used))
			best = p;
	}
	return best;
}

/* Opens a new block, in the place of the fullest one if there are enough of them. */
static int new_pack(struct blobfs_writer *w, struct blobfs_pack **pack)
{
	struct blobfs_pack *p = w->packs;
	if (w->n_packs < BLOBFS_WRITER_PACKS) {
		p = &w->packs[w->n_packs++];
	} else {
		for (unsigned i = 1; i < w->n_packs; i++)
			if (w->packs[i].used > p->used)
				p = &w->packs[i];
		int r = write_pack(w, p);
		if (r < 0)
			return r;
	}
	p->used = 0;
	memset(p->block, 0, sizeof p->block);
	*pack = p;
	return blobfs_space_take(w->space, 1, &p->offset);
}

int blobfs_writer_pack(
	struct blobfs_writer *w, const void *data, size_t size, uint64_t *offset)
{
	struct blobfs_pack *p = best_pack(w, size);
	int r = p ? 0 : new_pack(w, &p);
	if (r < 0)
		return r;
	memcpy(p->block + p->used, data, size);
	*offset = p->offset + p->used;
	p->used += size;
	return 0;
}

int blobfs_writer_finish(struct blobfs_writer *w)
{
	int r = write_out(w);
	for (unsigned i = 0; i < w->n_packs && r == 0; i++)
		r = write_pack(w, &w->packs[i]);
	w->n_packs = 0;
	return r;
}
