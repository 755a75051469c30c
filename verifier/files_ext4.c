/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "verifier/ext4_image.h"
#include "verifier/files_reader.h"

struct ext4_files {
	struct files_reader reader;
	struct ext4_image image;
};

struct listing {
	ext2_filsys fs;
	const struct file *file;
	struct files *list;
	struct walk walk;
	size_t node;
	uint64_t budget; /* names that may still come */
	int result;
};

static int failed(const struct file *f, errcode_t err, const char *what, uint64_t inode)
{
	return error_format("%s: ext4: %s %ju: %s", f->name, what, (uintmax_t)inode,
		error_message(err));
}

static int stream(struct files_reader *reader, const struct files_entry *entry,
	int (*sink)(void *context, struct span data), void *context)
{
	struct ext4_files *x = (struct ext4_files *)reader;
	const size_t piece = (size_t)1 << 20;
	ext2_file_t file;
	uint8_t *data = malloc(piece);
	if (!data)
		return error_memory();
	errcode_t err =
		ext2fs_file_open(x->image.fs, (ext2_ino_t)entry->handle, 0, &file);
	bool opened = !err;
	unsigned n = 1;
	int r = 0;
	while (!err && r == 0 && n) {
		err = ext2fs_file_read(file, data, (unsigned)piece, &n);
		if (!err && n)
			r = sink(context, span_of(data, n));
	}
	if (err)
		r = failed(x->image.file, err, "inode", entry->handle);
	if (opened)
		ext2fs_file_close(file);
	free(data);
	return r;
}

/* ---- pieces ------------------------------------------------------------------------ */

struct mapping {
	ext2_filsys fs;
	uint64_t size; /* of the file, bytes */
	int (*take)(void *context, const struct files_piece *piece);
	void *context;
	uint64_t at; /* up to here all was given */
};

static int give_hole(struct mapping *m, uint64_t end)
{
	struct files_piece hole = {.offset = m->at, .place = FILES_HOLE, .plain = true};
	if (end > m->size)
		end = m->size;
	if (end <= m->at)
		return 0;
	hole.length = hole.stored = end - m->at;
	m->at = end;
	return m->take(m->context, &hole);
}

/* 1 if it is not one that a file system just made has. */
static int give_extent(struct mapping *m, const struct ext2fs_extent *x)
{
	uint64_t block = m->fs->blocksize, offset = x->e_lblk * block;
	if (x->e_flags & EXT2_EXTENT_FLAGS_UNINIT || offset < m->at || !x->e_len)
		return 1;
	int r = give_hole(m, offset);
	if (r != 0 || offset >= m->size)
		return r;
	struct files_piece p = {.offset = offset,
		.length = x->e_len * block,
		.place = x->e_pblk * block,
		.plain = true};
	if (p.length > m->size - offset)
		p.length = m->size - offset;
	p.stored = p.length;
	m->at = offset + p.length;
	return m->take(m->context, &p);
}

/* The tree of a file that is hostile ends, as no extent begins before the last ends. */
static int give_extents(struct mapping *m, ext2_extent_handle_t handle)
{
	struct ext2fs_extent x;
	int r = 0;
	uint64_t steps = m->fs->super->s_blocks_count + UINT64_C(16);
	errcode_t err = ext2fs_extent_get(handle, EXT2_EXTENT_ROOT, &x);
	while (!err && r == 0 && steps--) {
		if (x.e_flags & EXT2_EXTENT_FLAGS_LEAF)
			r = give_extent(m, &x);
		err = ext2fs_extent_get(handle, EXT2_EXTENT_NEXT, &x);
	}
	if (r == 0 && err != EXT2_ET_EXTENT_NO_NEXT)
		return 1;
	return r == 0 ? give_hole(m, m->size) : r;
}

static int pieces(struct files_reader *reader, const struct files_entry *entry,
	int (*take)(void *context, const struct files_piece *piece), void *context)
{
	struct ext4_files *x = (struct ext4_files *)reader;
	struct mapping m = {
		.fs = x->image.fs, .size = entry->size, .take = take, .context = context};
	struct ext2_inode inode;
	ext2_extent_handle_t handle;
	ext2_ino_t number = (ext2_ino_t)entry->handle;
	if (ext2fs_read_inode(m.fs, number, &inode) ||
		!(inode.i_flags & EXT4_EXTENTS_FL) ||
		ext2fs_extent_open2(m.fs, number, &inode, &handle))
		return 1;
	int r = give_extents(&m, handle);
	ext2fs_extent_free(handle);
	return r;
}

static void release(struct files_reader *reader)
{
	struct ext4_files *x = (struct ext4_files *)reader;
	ext4_image_close(&x->image);
	free(x);
}

/* ---- one inode --------------------------------------------------------------------- */

struct taking {
	struct files_entry *entry;
	int result;
};

static int take_xattr(char *name, char *value, size_t size, void *context)
{
	struct taking *t = context;
	t->result = files_add_xattr(t->entry, name, span_of(value, size));
	return t->result < 0 ? XATTR_ABORT : 0;
}

static int add_xattrs(struct listing *l, ext2_ino_t number, struct files_entry *entry)
{
	struct ext2_xattr_handle *handle;
	struct taking t = {.entry = entry};
	errcode_t err = ext2fs_xattrs_open(l->fs, number, &handle);
	if (err)
		return failed(l->file, err, "attributes of inode", number);
	err = ext2fs_xattrs_read(handle);
	if (!err)
		err = ext2fs_xattrs_iterate(handle, take_xattr, &t);
	ext2fs_xattrs_close(&handle);
	if (t.result < 0)
		return t.result;
	return err ? failed(l->file, err, "attributes of inode", number) : 0;
}

static int add_target(struct listing *l, ext2_ino_t number,
	struct ext2_inode_large *inode, struct files_entry *entry)
{
	struct ext2_inode *i = (struct ext2_inode *)inode;
	uint64_t size = EXT2_I_SIZE(i);
	if (size == 0 || size > 4095)
		return error_format("%s: ext4: absurd symbolic link, inode %u",
			l->file->name, number);
	entry->target = calloc(1, (size_t)size + 1);
	if (!entry->target)
		return error_memory();
	if (ext2fs_is_fast_symlink(i)) {
		memcpy(entry->target, i->i_block,
			size < sizeof i->i_block ? (size_t)size : sizeof i->i_block);
		return 0;
	}
	ext2_file_t file;
	unsigned n;
	errcode_t err = ext2fs_file_open(l->fs, number, 0, &file);
	if (err)
		return failed(l->file, err, "symbolic link, inode", number);
	err = ext2fs_file_read(file, entry->target, (unsigned)size, &n);
	ext2fs_file_close(file);
	return err ? failed(l->file, err, "symbolic link, inode", number) : 0;
}

static void set_device(struct files_entry *entry, const struct ext2_inode *i)
{
	/* As the kernel keeps them: 8 bits each, or all in the second word. */
	uint32_t old = i->i_block[0], new = i->i_block[1];
	entry->major = old ? old >> 8 & 0xff : (new & 0xfff00) >> 8;
	entry->minor = old ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

static void set_times(struct files_entry *entry, const struct ext2_inode_large *inode)
{
	entry->mtime = (int32_t)inode->i_mtime;
	if (inode->i_extra_isize >= 8) {
		entry->mtime += (int64_t)(inode->i_mtime_extra & 3) << 32;
		entry->mtime_ns = inode->i_mtime_extra >> 2;
	}
}

static int add(struct listing *l, struct span path, ext2_ino_t number, mode_t *mode)
{
	struct ext2_inode_large inode = {0};
	struct ext2_inode *i = (struct ext2_inode *)&inode;
	struct files_entry *entry;
	errcode_t err = ext2fs_read_inode_full(l->fs, number, i, sizeof inode);
	if (err)
		return failed(l->file, err, "inode", number);
	int r = files_add(l->list, path, &entry);
	if (r < 0)
		return r;
	*mode = entry->mode = i->i_mode;
	entry->inode = entry->handle = number;
	entry->uid = inode_uid(inode);
	entry->gid = inode_gid(inode);
	entry->n_links = i->i_links_count;
	entry->size = S_ISREG(i->i_mode) ? EXT2_I_SIZE(i) : 0;
	set_times(entry, &inode);
	if (S_ISCHR(i->i_mode) || S_ISBLK(i->i_mode))
		set_device(entry, i);
	r = add_xattrs(l, number, entry);
	return r == 0 && S_ISLNK(i->i_mode) ? add_target(l, number, &inode, entry) : r;
}

/* ---- names ------------------------------------------------------------------------- */

static int take(struct listing *l, ext2_ino_t number, struct span name)
{
	BUFFER path = {0};
	mode_t mode;
	if (number > l->fs->super->s_inodes_count)
		return error_format(
			"%s: ext4: there is no inode %u", l->file->name, number);
	int r = walk_path(&l->walk, l->node, name, &path);
	if (r == 0)
		r = add(l, buffer_span(&path), number, &mode);
	if (r < 0 || !S_ISDIR(mode))
		return r;
	r = walk_see(&l->walk, number);
	if (r == 0)
		return error_format("%s: ext4: directory inode %u has two names",
			l->file->name, number);
	return r < 0 ? r : walk_add(&l->walk, l->node, number, name);
}

static int take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *d, int offset,
	int block_size, char *block, void *context)
{
	struct listing *l = context;
	(void)dir;
	(void)offset;
	(void)block_size;
	(void)block;
	if (l->budget-- == 0)
		l->result = error_format("%s: ext4: names that never end", l->file->name);
	else if (entry == DIRENT_OTHER_FILE && d->inode)
		l->result = take(
			l, d->inode, span_of(d->name, (size_t)ext2fs_dirent_name_len(d)));
	return l->result < 0 ? DIRENT_ABORT : 0;
}

static int spend_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref,
	int ref_offset, void *context)
{
	struct listing *l = context;
	(void)fs;
	(void)block;
	(void)count;
	(void)ref;
	(void)ref_offset;
	if (l->budget == 0)
		return BLOCK_ABORT;
	l->budget--;
	return 0;
}

/* Maps can be made that lead on and on without a name. */
static int check_map(struct listing *l, ext2_ino_t dir)
{
	errcode_t err = ext2fs_block_iterate3(
		l->fs, dir, BLOCK_FLAG_READ_ONLY, NULL, spend_block, l);
	if (err && err != EXT2_ET_INLINE_DATA_CANT_ITERATE)
		return failed(l->file, err, "map of directory inode", dir);
	return l->budget ? 0
			 : error_format(
				   "%s: ext4: directories that never end", l->file->name);
}

static int list_all(struct listing *l)
{
	mode_t mode;
	int r = add(l, span_of("/", 1), EXT2_ROOT_INO, &mode);
	if (r == 0)
		r = walk_add(&l->walk, 0, EXT2_ROOT_INO, span_of("", 0));
	if (r == 0)
		r = walk_see(&l->walk, EXT2_ROOT_INO);
	r = r < 0 ? r : 0;
	for (l->node = 0; r == 0 && l->node < l->walk.n_nodes; l->node++) {
		ext2_ino_t dir = (ext2_ino_t)l->walk.nodes[l->node].inode;
		r = check_map(l, dir);
		if (r < 0)
			break;
		errcode_t err = ext2fs_dir_iterate2(
			l->fs, dir, DIRENT_FLAG_INCLUDE_EMPTY, NULL, take_name, l);
		r = l->result;
		if (r == 0 && err)
			r = failed(l->file, err, "directory inode", dir);
	}
	walk_free(&l->walk);
	return r;
}

int files_load_ext4(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size)
{
	struct ext4_files *x = calloc(1, sizeof *x);
	uint64_t superblock;
	if (!x)
		return error_memory();
	x->reader = (struct files_reader){
		.stream = stream, .pieces = pieces, .free = release};
	list->reader = &x->reader;
	int r = ext4_image_open(&x->image, f, offset, size, &superblock);
	if (r < 0)
		return r;
	/* No name takes less than 12 bytes. */
	struct listing l = {
		.fs = x->image.fs, .file = f, .list = list, .budget = size / 12 + 16};
	return list_all(&l);
}
