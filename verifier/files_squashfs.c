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
	x->reader = (struct files_reader){.stream = stream, .free = release};
	list->reader = &x->reader;
	int r = squashfs_open(&x->s, f, offset, size);
	struct listing l = {.s = &x->s, .list = list};
	return r < 0 ? r : list_all(&l);
}
