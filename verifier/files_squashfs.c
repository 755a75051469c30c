/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "verifier/files_reader.h"
#include "verifier/squashfs.h"

struct squashfs_files {
	struct files_reader reader;
	struct squashfs s;
};

struct listing {
	struct squashfs *s;
	struct files *list;
	struct walk walk;
	size_t node;
};

static int stream(struct files_reader *reader, const struct files_entry *entry,
	int (*sink)(void *context, struct span data), void *context)
{
	struct squashfs_files *x = (struct squashfs_files *)reader;
	struct squashfs_inode inode;
	x->s.budget += 64 + entry->size / 1024;
	int r = squashfs_inode(&x->s, entry->handle, NULL, NULL, &inode);
	return r < 0 ? r : squashfs_stream(&x->s, &inode, sink, context);
}

#define IS_FRAGMENT 0x80u

/* A piece as it is stored: SIZE with the flag of those that are not packed. */
static struct files_piece piece_at(const struct squashfs *s, uint64_t offset,
	uint64_t length, uint64_t place, uint32_t size)
{
	struct files_piece p = {.offset = offset,
		.length = length,
		.place = place,
		.stored = SQUASHFS_STORED(size),
		.plain = size & SQUASHFS_UNPACKED,
		.how = s->compressor | (size & SQUASHFS_UNPACKED)};
	if (p.stored == 0)
		p.place = FILES_HOLE;
	/* One that is too short makes no sense: who reads it says so. */
	if (p.plain && p.stored != length)
		p.plain = false;
	return p;
}

static int give_fragment(struct squashfs *s, const struct squashfs_inode *inode,
	int (*take)(void *context, const struct files_piece *piece), void *context)
{
	uint64_t place, length = inode->size % s->block_size;
	uint32_t size;
	int r = squashfs_fragment(s, inode->fragment, &place, &size);
	if (r < 0)
		return r;
	struct files_piece p = piece_at(s, inode->size - length, length, place, size);
	p.plain = false;
	p.how |= (uint64_t)inode->fragment_at << 32 | IS_FRAGMENT;
	return take(context, &p);
}

static int pieces(struct files_reader *reader, const struct files_entry *entry,
	int (*take)(void *context, const struct files_piece *piece), void *context)
{
	struct squashfs *s = &((struct squashfs_files *)reader)->s;
	struct squashfs_inode inode;
	s->budget += 64 + entry->size / 1024;
	int r = squashfs_inode(s, entry->handle, NULL, NULL, &inode);
	struct squashfs_cursor c = inode.behind;
	uint64_t place = inode.blocks;
	for (uint64_t i = 0; r == 0 && i < inode.n_blocks; i++) {
		uint64_t offset = i * s->block_size, left = inode.size - offset;
		uint8_t d[4];
		r = squashfs_get(s, &c, d, sizeof d);
		if (r < 0)
			return r;
		struct files_piece p = piece_at(s, offset,
			left < s->block_size ? left : s->block_size, place, get_le32(d));
		place += p.stored;
		r = take(context, &p);
	}
	return r == 0 && inode.fragment != UINT32_MAX
		       ? give_fragment(s, &inode, take, context)
		       : r;
}

static void release(struct files_reader *reader)
{
	struct squashfs_files *x = (struct squashfs_files *)reader;
	squashfs_close(&x->s);
	free(x);
}

static int take_xattr(void *context, const char *name, struct span value)
{
	return files_add_xattr(context, name, value);
}

static int add_target(
	struct squashfs *s, const struct squashfs_inode *inode, struct files_entry *entry)
{
	BUFFER target = {0};
	int r = squashfs_target(s, inode, &target);
	if (r < 0)
		return r;
	entry->target = strdup(buffer_text(&target));
	return entry->target ? 0 : error_memory();
}

static int add(struct listing *l, struct span path, uint64_t reference,
	const struct squashfs_inode *inode)
{
	static const mode_t types[] = {
		0, S_IFDIR, S_IFREG, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK};
	struct files_entry *entry;
	int r = files_add(l->list, path, &entry);
	if (r < 0)
		return r;
	entry->inode = inode->number;
	entry->handle = reference;
	entry->mode = types[inode->type] | (inode->mode & 07777);
	entry->n_links = inode->n_links;
	entry->size = inode->type == SQUASHFS_FILE ? inode->size : 0;
	entry->mtime = inode->mtime;
	/* As the kernel's new_decode_dev. */
	entry->major = (inode->rdev & 0xfff00) >> 8;
	entry->minor = (inode->rdev & 0xff) | ((inode->rdev >> 12) & 0xfff00);
	r = squashfs_id(l->s, inode->uid, &entry->uid);
	if (r == 0)
		r = squashfs_id(l->s, inode->gid, &entry->gid);
	if (r == 0)
		r = squashfs_xattrs(l->s, inode, take_xattr, entry);
	return r == 0 && entry->mode >> 12 == S_IFLNK >> 12
		       ? add_target(l->s, inode, entry)
		       : r;
}

static int take_entry(void *context, const struct squashfs_entry *e)
{
	struct listing *l = context;
	struct squashfs_inode inode;
	BUFFER path = {0};
	int r = squashfs_inode(l->s, e->reference, NULL, NULL, &inode);
	if (r == 0)
		r = walk_path(&l->walk, l->node, e->name, &path);
	if (r == 0)
		r = add(l, buffer_span(&path), e->reference, &inode);
	if (r < 0 || inode.type != SQUASHFS_DIR)
		return r;
	r = walk_see(&l->walk, e->reference);
	if (r == 0)
		return error_format("%s: squashfs: directory inode %u has two names",
			l->s->file->name, inode.number);
	return r < 0 ? r : walk_add(&l->walk, l->node, e->reference, e->name);
}

static int list_all(struct listing *l)
{
	struct squashfs_inode dir;
	int r = squashfs_inode(l->s, l->s->root, NULL, NULL, &dir);
	if (r == 0)
		r = add(l, span_of("/", 1), l->s->root, &dir);
	if (r == 0)
		r = walk_add(&l->walk, 0, l->s->root, span_of("", 0));
	if (r == 0)
		r = walk_see(&l->walk, l->s->root);
	r = r < 0 ? r : 0;
	for (l->node = 0; r == 0 && l->node < l->walk.n_nodes; l->node++) {
		r = squashfs_inode(l->s, l->walk.nodes[l->node].inode, NULL, NULL, &dir);
		if (r == 0)
			r = squashfs_list(l->s, &dir, NULL, take_entry, l);
	}
	walk_free(&l->walk);
	return r;
}

int files_load_squashfs(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size)
{
	struct squashfs_files *x = calloc(1, sizeof *x);
	if (!x)
		return error_memory();
	x->reader = (struct files_reader){
		.stream = stream, .pieces = pieces, .free = release};
	list->reader = &x->reader;
	int r = squashfs_open(&x->s, f, offset, size);
	struct listing l = {.s = &x->s, .list = list};
	return r < 0 ? r : list_all(&l);
}
