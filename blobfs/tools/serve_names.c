/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blobfs/tools/serve_reader.h"

/* Copies bytes of a block that is kept; false if it is not. */
static bool copy_kept(
	struct serve_names *n, uint64_t number, size_t inside, size_t size, void *data)
{
	struct serve_block *b = &n->blocks[number % SERVE_BLOCKS];
	pthread_mutex_lock(&n->lock);
	bool found = b->number == number + 1;
	if (found)
		memcpy(data, b->data + inside, size);
	pthread_mutex_unlock(&n->lock);
	return found;
}

static void keep(struct serve_names *n, uint64_t number, const uint8_t *data)
{
	struct serve_block *b = &n->blocks[number % SERVE_BLOCKS];
	pthread_mutex_lock(&n->lock);
	b->number = number + 1;
	memcpy(b->data, data, sizeof b->data);
	pthread_mutex_unlock(&n->lock);
}

/* Reads bytes of one block of the tree's image, verified now or before. */
static int read_part(
	struct serve *s, uint64_t number, size_t inside, size_t size, void *data)
{
	struct serve_reader *reader = serve_reader(s);
	struct serve_names *n = s->names;
	uint8_t block[BLOBFS_BLOCK] = {0};
	size_t got;
	if (copy_kept(n, number, inside, size, data))
		return 0;
	if (!reader)
		return error_memory();
	int r = blobfs_read(
		&reader->fs, &n->blob, number * BLOBFS_BLOCK, block, sizeof block, &got);
	if (r)
		return blobfs_failed(&reader->fs, s->image->file.name, r);
	keep(n, number, block);
	memcpy(data, block + inside, size);
	return 0;
}

static int read_names(void *context, void *data, size_t size, uint64_t offset)
{
	struct serve *s = context;
	uint8_t *to = data;
	while (size) {
		size_t inside = offset % BLOBFS_BLOCK, part = BLOBFS_BLOCK - inside;
		part = part < size ? part : size;
		int r = read_part(s, offset / BLOBFS_BLOCK, inside, part, to);
		if (r < 0)
			return r;
		to += part;
		offset += part;
		size -= part;
	}
	return 0;
}

int serve_names_open(struct serve *s, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct serve_names *n = calloc(1, sizeof *n);
	char text[BLOBFS_DIGEST_TEXT];
	if (!n)
		return error_memory();
	s->names = n;
	n->name = FILE_CLOSED;
	n->name.name = s->image->file.name;
	pthread_mutex_init(&n->lock, NULL);
	int r = names_check(&s->image->store, digest, &n->blob);
	if (r == 1)
		r = error_format("%s: is no tree", blobfs_digest_text(digest, text));
	if (r == 0)
		r = erofs_open_through(
			&n->erofs, &n->name, n->blob.entry.size, read_names, s);
	return r;
}

void serve_names_free(struct serve_names *n)
{
	free(n);
}
