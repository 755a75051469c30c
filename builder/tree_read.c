/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/tree_build.h"

#define PIECE ((size_t)1 << 20)

struct sink {
	int (*give)(void *context, struct span data, uint64_t offset);
	void *context;
};

static int stream_extent(const struct file *f, uint64_t stored,
	const struct tree_extent *extent, uint8_t *piece, const struct sink *sink)
{
	for (uint64_t done = 0; done < extent->size;) {
		uint64_t left = extent->size - done;
		size_t size = left < PIECE ? (size_t)left : PIECE;
		int r = file_read(f, piece, size, stored + done);
		if (r == 0)
			r = sink->give(sink->context, span_of(piece, size),
				extent->offset + done);
		if (r < 0)
			return r;
		done += size;
	}
	return 0;
}

static int stream_extents(const struct tree *tree, const struct tree_entry *e,
	const struct file *f, const struct sink *sink)
{
	uint8_t *piece = malloc(PIECE);
	if (!piece)
		return error_memory();
	int r = 0;
	for (size_t i = 0; r == 0 && i < e->n_extents; i++)
		r = stream_extent(f,
			tree->dirfd >= 0 ? e->extents[i].offset : e->extents[i].stored,
			&e->extents[i], piece, sink);
	free(piece);
	return r;
}

int tree_stream(const struct tree *tree, const struct tree_entry *entry,
	int (*give)(void *context, struct span data, uint64_t offset), void *context)
{
	char quoted[TREE_QUOTE_SIZE];
	struct sink sink = {give, context};
	const struct tree_entry *e = &tree->entries[entry->first_name];
	if (!S_ISREG(e->mode))
		return error_format("%s: %s: not a regular file", tree->name,
			tree_quote(entry->path, quoted));
	if (e->contents)
		return give(context, span_of(e->contents, (size_t)e->size), 0);
	if (e->n_extents == 0)
		return 0;
	if (tree->dirfd < 0)
		return stream_extents(tree, e, &tree->spool, &sink);
	AUTO_FILE f = FILE_CLOSED;
	int r = tree_open_file(tree, e, &f);
	if (r == 0)
		r = stream_extents(tree, e, &f, &sink);
	if (r == 0)
		r = tree_check_unchanged(tree, e, f.fd);
	return r;
}

/* Content at START of a buffer, whose holes are zeros already. */
struct landing {
	struct buffer *b;
	size_t start;
};

static int land(void *context, struct span data, uint64_t offset)
{
	const struct landing *l = context;
	memcpy(l->b->data + l->start + offset, data.data, data.size);
	return 0;
}

int tree_read(const struct tree *tree, const struct tree_entry *entry, size_t limit,
	struct buffer *b)
{
	char quoted[TREE_QUOTE_SIZE];
	if (entry->size > limit && S_ISREG(entry->mode))
		return error_format("%s: %s: larger than the %zu bytes allowed",
			tree->name, tree_quote(entry->path, quoted), limit);
	struct landing l = {b, b->size};
	int r = S_ISREG(entry->mode) ? buffer_append_zeros(b, (size_t)entry->size) : 0;
	return r < 0 ? r : tree_stream(tree, entry, land, &l);
}
