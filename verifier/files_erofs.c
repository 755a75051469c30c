/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/block_cache.h"
#include "core/erofs_content.h"
#include "verifier/files_reader.h"

struct erofs_files {
	struct files_reader reader;
	struct erofs e;
	struct block_cache cache; /* for inodes: they lie close together */
	struct erofs_content content;
	/* Of the regular files, by the handles of their entries: none is read twice. */
	struct erofs_inode *inodes; /* owned */
	size_t n_inodes, capacity;
};

struct listing {
	struct erofs_files *from;
	struct files *list;
	struct walk walk;
	size_t node;
	uint64_t budget; /* names that may still come */
};

static int stream(struct files_reader *reader, const struct files_entry *entry,
	int (*sink)(void *context, struct span data), void *context)
{
	struct erofs_files *x = (struct erofs_files *)reader;
	return erofs_content_stream(
		&x->content, &x->inodes[entry->handle], sink, context);
}

struct taking {
	int (*take)(void *context, const struct files_piece *piece);
	void *context;
};

static int take_extent(void *context, const struct erofs_extent *x)
{
	struct taking *t = context;
	struct files_piece piece = {.offset = x->offset,
		.length = x->length,
		.place = x->place == EROFS_HOLE ? FILES_HOLE : x->place,
		.stored = x->stored,
		.plain = x->coding == EROFS_PLAIN && !x->shifted && !x->interlaced &&
			 !x->partial,
		.how = (uint64_t)x->coding << 3 | (uint64_t)x->shifted << 2 |
		       (uint64_t)x->interlaced << 1 | (uint64_t)x->partial};
	/* Where a fragment is depends on where the packed file is. */
	if (x->fragment)
		return 1;
	if (piece.plain)
		piece.stored = piece.length;
	return t->take(t->context, &piece);
}

static int pieces(struct files_reader *reader, const struct files_entry *entry,
	int (*take)(void *context, const struct files_piece *piece), void *context)
{
	struct erofs_files *x = (struct erofs_files *)reader;
	struct taking t = {take, context};
	return erofs_extents(&x->e, &x->inodes[entry->handle], NULL, take_extent, &t);
}

static void release(struct files_reader *reader)
{
	struct erofs_files *x = (struct erofs_files *)reader;
	erofs_content_free(&x->content);
	block_cache_free(&x->cache);
	free(x->inodes);
	free(x);
}

static int take_xattr(void *context, const char *name, struct span value)
{
	return files_add_xattr(context, name, value);
}

static int add_target(
	const struct erofs *e, const struct erofs_inode *inode, struct files_entry *entry)
{
	BUFFER target = {0};
	int r = erofs_target(e, inode, &target);
	if (r < 0)
		return r;
	entry->target = strdup(buffer_text(&target));
	return entry->target ? 0 : error_memory();
}

static int keep_inode(
	struct erofs_files *x, const struct erofs_inode *inode, struct files_entry *entry)
{
	if (x->n_inodes == x->capacity) {
		size_t more = x->capacity ? 2 * x->capacity : 256;
		struct erofs_inode *inodes =
			reallocarray(x->inodes, more, sizeof *inodes);
		if (!inodes)
			return error_memory();
		x->inodes = inodes;
		x->capacity = more;
	}
	entry->handle = x->n_inodes;
	x->inodes[x->n_inodes++] = *inode;
	return 0;
}

static int add(struct listing *l, struct span path, const struct erofs_inode *inode)
{
	struct files_entry *entry;
	const struct erofs *e = &l->from->e;
	int r = files_add(l->list, path, &entry);
	if (r < 0)
		return r;
	entry->inode = inode->nid;
	entry->mode = inode->mode;
	entry->uid = inode->uid;
	entry->gid = inode->gid;
	entry->n_links = inode->n_links;
	entry->size = S_ISREG(inode->mode) ? inode->size : 0;
	entry->mtime = inode->mtime;
	entry->mtime_ns = inode->mtime_ns;
	entry->major = inode->major;
	entry->minor = inode->minor;
	r = erofs_xattrs(e, inode, take_xattr, entry);
	if (r == 0 && S_ISLNK(inode->mode))
		r = add_target(e, inode, entry);
	return r == 0 && S_ISREG(inode->mode) ? keep_inode(l->from, inode, entry) : r;
}

static int take_entry(void *context, struct span name, uint64_t nid)
{
	struct listing *l = context;
	struct erofs_inode inode;
	BUFFER path = {0};
	if (l->budget-- == 0)
		return error_format(
			"%s: erofs: names that never end", l->from->e.file->name);
	int r = erofs_inode(&l->from->e, nid, &inode);
	if (r == 0)
		r = walk_path(&l->walk, l->node, name, &path);
	if (r == 0)
		r = add(l, buffer_span(&path), &inode);
	if (r < 0 || !S_ISDIR(inode.mode))
		return r;
	r = walk_see(&l->walk, nid);
	if (r == 0)
		return error_format("%s: erofs: directory inode %ju has two names",
			l->from->e.file->name, (uintmax_t)nid);
	return r < 0 ? r : walk_add(&l->walk, l->node, nid, name);
}

static int list_all(struct listing *l)
{
	const struct erofs *e = &l->from->e;
	struct erofs_inode dir;
	int r = erofs_inode(e, e->root, &dir);
	if (r == 0)
		r = add(l, span_of("/", 1), &dir);
	if (r == 0)
		r = walk_add(&l->walk, 0, e->root, span_of("", 0));
	if (r == 0)
		r = walk_see(&l->walk, e->root);
	r = r < 0 ? r : 0;
	for (l->node = 0; r == 0 && l->node < l->walk.n_nodes; l->node++) {
		r = erofs_inode(e, l->walk.nodes[l->node].inode, &dir);
		uint64_t blocks = dir.size >> e->block_bits;
		if (r == 0 && blocks > l->budget)
			r = error_format(
				"%s: erofs: directories that never end", e->file->name);
		if (r == 0) {
			l->budget -= blocks;
			r = erofs_list(e, &dir, take_entry, l);
		}
	}
	walk_free(&l->walk);
	return r;
}

int files_load_erofs(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size)
{
	struct erofs_files *x = calloc(1, sizeof *x);
	if (!x)
		return error_memory();
	x->reader = (struct files_reader){
		.stream = stream, .pieces = pieces, .free = release};
	list->reader = &x->reader;
	int r = erofs_open(&x->e, f, offset, size);
	erofs_content_init(&x->content, &x->e);
	if (r < 0)
		return r;
	x->cache.file = f;
	x->e.read = block_cache_read;
	x->e.context = &x->cache;
	/* No name takes less than its 12 bytes. */
	struct listing l = {.from = x, .list = list, .budget = size / 12 + 16};
	return list_all(&l);
}
