/* SPDX-License-Identifier: MIT */
#include "verifier/deleted_ext4.h"

#include <stdlib.h>
#include <string.h>

#include "verifier/ext4_image.h"
#include "verifier/locator.h"

/* i_extra_isize of an inode that has all the times. */
#define EXTRA_TIMES 24

struct deleted_inode {
	ext2_ino_t number;
	char *path; /* owned; NULL: none was found */
	size_t path_size;
};

struct search {
	struct deleted_search *s;
	struct ext4_image image;
	ext2_filsys fs;
	struct deleted_inode *items; /* owned; by number */
	size_t n_items, capacity;
	ext2fs_inode_bitmap dirs; /* those in use */
	struct walk walk;
	size_t node;
	uint64_t budget; /* names and blocks that may still come */
	int result;
};

static int failed(const struct search *x, errcode_t err, const char *what)
{
	return error_format(
		"%s: ext4: %s: %s", x->image.file->name, what, error_message(err));
}

/* ---- inodes ------------------------------------------------------------------------ */

static int keep(struct search *x, ext2_ino_t number)
{
	if (x->s->n_files++ >= DELETED_MAX)
		return 0;
	if (x->n_items == x->capacity) {
		size_t capacity = x->capacity ? 2 * x->capacity : 256;
		struct deleted_inode *more =
			reallocarray(x->items, capacity, sizeof *more);
		if (!more)
			return error_memory();
		x->items = more;
		x->capacity = capacity;
	}
	x->items[x->n_items++] = (struct deleted_inode){.number = number};
	return 0;
}

static int sort_inode(struct search *x, ext2_ino_t number, const struct ext2_inode *i)
{
	bool used = ext2fs_test_inode_bitmap2(x->fs->inode_map, number);
	if (used && LINUX_S_ISDIR(i->i_mode))
		ext2fs_mark_inode_bitmap2(x->dirs, number);
	if (used || number < EXT2_FIRST_INODE(x->fs->super) || i->i_mode == 0)
		return 0;
	return i->i_dtime || i->i_links_count == 0 ? keep(x, number) : 0;
}

/* The root is looked into in any case. */
static int scan_inodes(struct search *x)
{
	struct ext2_inode inode;
	ext2_inode_scan scan;
	ext2_ino_t number = 0;
	int r = 0;
	errcode_t err = ext2fs_open_inode_scan(x->fs, 0, &scan);
	if (err)
		return failed(x, err, "inodes");
	ext2fs_mark_inode_bitmap2(x->dirs, EXT2_ROOT_INO);
	do {
		err = ext2fs_get_next_inode(scan, &number, &inode);
		if (err == EXT2_ET_BAD_BLOCK_IN_INODE_TABLE)
			x->s->n_unread++;
		else if (err)
			r = failed(x, err, "inodes");
		else if (number)
			r = sort_inode(x, number, &inode);
	} while (r == 0 && number);
	ext2fs_close_inode_scan(scan);
	return r;
}

/* ---- names ------------------------------------------------------------------------- */

static int by_number(const void *key, const void *item)
{
	const ext2_ino_t a = *(const ext2_ino_t *)key;
	const ext2_ino_t b = ((const struct deleted_inode *)item)->number;
	return (a > b) - (a < b);
}

/* The first name is the one that is taken. */
static int take_removed(struct search *x, ext2_ino_t number, struct span name)
{
	BUFFER path = {0};
	struct deleted_inode *item = NULL;
	if (x->n_items)
		item = bsearch(
			&number, x->items, x->n_items, sizeof *x->items, by_number);
	if (!item || item->path)
		return 0;
	int r = walk_path(&x->walk, x->node, name, &path);
	struct span whole = buffer_span(&path);
	while (r == 0 && whole.size && *whole.data == '/')
		whole = span_of(whole.data + 1, whole.size - 1);
	if (r < 0 || whole.size == 0)
		return r;
	item->path = malloc(whole.size);
	if (!item->path)
		return error_memory();
	memcpy(item->path, whole.data, whole.size);
	item->path_size = whole.size;
	return 0;
}

static int take_directory(struct search *x, ext2_ino_t number, struct span name)
{
	if (!ext2fs_test_inode_bitmap2(x->dirs, number))
		return 0;
	int r = walk_see(&x->walk, number);
	return r > 0 ? walk_add(&x->walk, x->node, number, name) : r;
}

static int take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *d, int offset,
	int block_size, char *block, void *context)
{
	struct search *x = context;
	struct span name = span_of(d->name, (size_t)ext2fs_dirent_name_len(d));
	(void)dir;
	(void)block;
	if (x->budget == 0)
		return DIRENT_ABORT;
	x->budget--;
	/* Slack is anything: what cannot be a name is none. */
	if (d->inode == 0 || d->inode > x->fs->super->s_inodes_count || name.size == 0 ||
		(size_t)offset + 8 + name.size > (size_t)block_size ||
		memchr(name.data, 0, name.size) || memchr(name.data, '/', name.size))
		return 0;
	if (entry == DIRENT_DELETED_FILE)
		x->result = take_removed(x, d->inode, name);
	else if (entry == DIRENT_OTHER_FILE)
		x->result = take_directory(x, d->inode, name);
	return x->result < 0 ? DIRENT_ABORT : 0;
}

static int spend_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref,
	int ref_offset, void *context)
{
	struct search *x = context;
	(void)fs;
	(void)block;
	(void)count;
	(void)ref;
	(void)ref_offset;
	if (x->budget == 0)
		return BLOCK_ABORT;
	x->budget--;
	return 0;
}

/* One that cannot be read hides no other. */
static int search_directory(struct search *x, ext2_ino_t dir)
{
	/* First its map: such can be made that lead on and on without a name. */
	errcode_t err = ext2fs_block_iterate3(
		x->fs, dir, BLOCK_FLAG_READ_ONLY, NULL, spend_block, x);
	if (err == EXT2_ET_INLINE_DATA_CANT_ITERATE)
		err = 0;
	if (!err && x->budget)
		err = ext2fs_dir_iterate2(x->fs, dir,
			DIRENT_FLAG_INCLUDE_EMPTY | DIRENT_FLAG_INCLUDE_REMOVED, NULL,
			take_name, x);
	if (x->result < 0)
		return x->result;
	if (x->budget == 0)
		return error_format(
			"%s: ext4: directories that never end", x->image.file->name);
	if (err)
		x->s->n_unread++;
	return 0;
}

static int find_names(struct search *x)
{
	int r = walk_add(&x->walk, 0, EXT2_ROOT_INO, span_of("", 0));
	if (r == 0)
		r = walk_see(&x->walk, EXT2_ROOT_INO);
	r = r < 0 ? r : 0;
	for (x->node = 0; r == 0 && x->node < x->walk.n_nodes; x->node++)
		r = search_directory(x, (ext2_ino_t)x->walk.nodes[x->node].inode);
	return r;
}

/* ---- what is given ----------------------------------------------------------------- */

/* 34 bits of seconds and 30 of nanoseconds. */
static struct statx_timestamp time_of(uint32_t seconds, uint32_t extra)
{
	return (struct statx_timestamp){
		.tv_sec = (int32_t)seconds + ((int64_t)(extra & 3) << 32),
		.tv_nsec = extra >> 2 < 1000000000 ? extra >> 2 : 0};
}

static void describe(
	struct deleted_file *file, const struct ext2_inode_large *i, bool is_large)
{
	struct statx *s = &file->state;
	const bool extra = is_large && i->i_extra_isize >= EXTRA_TIMES;
	s->stx_mode = i->i_mode;
	s->stx_nlink = i->i_links_count;
	s->stx_uid = inode_uid(*i);
	s->stx_gid = inode_gid(*i);
	s->stx_size = EXT2_I_SIZE((const struct ext2_inode *)i);
	s->stx_mtime = time_of(i->i_mtime, extra ? i->i_mtime_extra : 0);
	s->stx_ctime = time_of(i->i_ctime, extra ? i->i_ctime_extra : 0);
	s->stx_atime = time_of(i->i_atime, extra ? i->i_atime_extra : 0);
	if (extra) {
		s->stx_btime = time_of(i->i_crtime, i->i_crtime_extra);
		s->stx_mask |= STATX_BTIME;
	}
	file->dtime = i->i_dtime;
}

static int give(struct search *x, const struct deleted_inode *item)
{
	struct ext2_inode_large inode = {0};
	struct deleted_file file = {.path = span_of(item->path, item->path_size)};
	if (ext2fs_read_inode_full(
		    x->fs, item->number, (struct ext2_inode *)&inode, sizeof inode)) {
		x->s->n_unread++;
		return 0;
	}
	describe(&file, &inode, EXT2_INODE_SIZE(x->fs->super) > EXT2_GOOD_OLD_INODE_SIZE);
	file.state.stx_ino = item->number;
	return x->s->take(x->s->context, &file);
}

/* ---- the whole --------------------------------------------------------------------- */

static int prepare(struct search *x)
{
	const struct ext2_super_block *super = x->fs->super;
	uint64_t bytes;
	/* Maps of them are kept: not of more than there can be. */
	if (u64_mul(super->s_inodes_count, EXT2_INODE_SIZE(super), &bytes) ||
		bytes > x->image.size)
		return error_format("%s: ext4: %u inodes do not fit into %ju bytes",
			x->image.file->name, super->s_inodes_count,
			(uintmax_t)x->image.size);
	errcode_t err = ext2fs_read_inode_bitmap(x->fs);
	if (err)
		return failed(x, err, "map of inodes");
	err = ext2fs_allocate_inode_bitmap(x->fs, "directories", &x->dirs);
	return err ? failed(x, err, "map of directories") : 0;
}

static int search(struct search *x)
{
	int r = prepare(x);
	if (r == 0)
		r = scan_inodes(x);
	if (r == 0 && x->n_items)
		r = find_names(x);
	for (size_t i = 0; r == 0 && i < x->n_items; i++)
		r = give(x, &x->items[i]);
	if (x->dirs)
		ext2fs_free_inode_bitmap(x->dirs);
	for (size_t i = 0; i < x->n_items; i++)
		free(x->items[i].path);
	free(x->items);
	walk_free(&x->walk);
	return r;
}

int deleted_ext4(
	struct deleted_search *s, const struct file *f, uint64_t offset, uint64_t size)
{
	/* No name takes less than 12 bytes. */
	struct search x = {.s = s, .budget = size / 12 + 16};
	uint64_t superblock;
	s->n_files = s->n_unread = 0;
	int r = ext4_image_open(&x.image, f, offset, size, &superblock);
	if (r < 0)
		return r;
	x.fs = x.image.fs;
	r = superblock ? error_format("%s: ext4: the superblock cannot be used", f->name)
		       : search(&x);
	ext4_image_close(&x.image);
	return r;
}
