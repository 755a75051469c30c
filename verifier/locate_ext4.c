/* SPDX-License-Identifier: MIT */
/*
 * ext2, 3 and 4 through libext2fs: one pass over the inodes for what was asked for, and
 * one over the directories for the names. Everything is counted against a budget that
 * grows with the file system only: maps can be made that never end.
 */
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/ext4_image.h"
#include "verifier/locator.h"

struct ext4_map {
	struct locator *l;
	ext2_filsys fs;
	uint64_t budget; /* blocks, inodes and names that may still be looked at */
	/* The inode that is looked at, and the run of its blocks that is not told yet. */
	ext2_ino_t inode;
	enum located_kind kind;
	uint64_t run_first, run_count, run_logical, size;
	int result;
	bool hit;           /* any byte of this inode was asked for */
	ext2_ino_t *wanted; /* owned: inodes whose names are wanted, in order */
	size_t n_wanted, wanted_capacity;
	ext2_ino_t *directories; /* owned: in order */
	size_t n_directories, directories_capacity;
	struct parent *parents; /* owned: directory n's name, and where it is */
};

struct parent {
	ext2_ino_t inode; /* 0: not found */
	char *name;       /* owned */
	size_t size;
};

static int fault(struct ext4_map *m, errcode_t err, const char *what, uint64_t inode)
{
	error_format("ext4: %s %ju: %s", what, (uintmax_t)inode, error_message(err));
	return locator_fault(m->l);
}

static int spend(struct ext4_map *m, uint64_t n)
{
	if (m->budget < n) {
		m->budget = 0;
		return 1;
	}
	m->budget -= n;
	return 0;
}

static int add_number(ext2_ino_t **list, size_t *n, size_t *capacity, ext2_ino_t number)
{
	if (*n == *capacity) {
		size_t more = *capacity ? 2 * *capacity : 256;
		ext2_ino_t *larger = reallocarray(*list, more, sizeof *larger);
		if (!larger)
			return error_memory();
		*list = larger;
		*capacity = more;
	}
	(*list)[(*n)++] = number;
	return 0;
}

/* The index of NUMBER in a sorted list, or N. */
static size_t find_number(const ext2_ino_t *list, size_t n, ext2_ino_t number)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && list[low] == number ? low : n;
}

/* ---- what is not of a file --------------------------------------------------------- */

static int use_blocks(
	struct ext4_map *m, uint64_t first, uint64_t count, const char *what, dgrp_t g)
{
	uint64_t bs = m->fs->blocksize;
	if (first >= m->l->size / bs || count == 0 ||
		!locator_wants(m->l, first * bs, count * bs))
		return 0;
	const char *text = locator_text(m->l, "%s of block group %u", what, g);
	return text ? locator_meta(m->l, first * bs, count * bs, text) : error_memory();
}

static int use_group(struct ext4_map *m, dgrp_t g)
{
	ext2_filsys fs = m->fs;
	blk64_t super = 0, old = 0, new = 0;
	ext2fs_super_and_bgd_loc2(fs, g, &super, &old, &new, NULL);
	uint64_t n_old =
		fs->desc_blocks + (ext2fs_has_feature_meta_bg(fs->super)
						  ? 0
						  : fs->super->s_reserved_gdt_blocks);
	int r = 0;
	if (super || g == 0)
		r = use_blocks(m, super, 1, g ? "backup superblock" : "superblock", g);
	if (r == 0 && old)
		r = use_blocks(m, old, n_old, "group descriptors", g);
	if (r == 0 && new)
		r = use_blocks(m, new, 1, "group descriptors", g);
	if (r == 0)
		r = use_blocks(m, ext2fs_block_bitmap_loc(fs, g), 1, "block bitmap", g);
	if (r == 0)
		r = use_blocks(m, ext2fs_inode_bitmap_loc(fs, g), 1, "inode bitmap", g);
	if (r == 0)
		r = use_blocks(m, ext2fs_inode_table_loc(fs, g),
			fs->inode_blocks_per_group, "inode table", g);
	return r;
}

/* ---- inodes ------------------------------------------------------------------------ */

static const char *special_name(const struct ext4_map *m, ext2_ino_t inode)
{
	const struct ext2_super_block *s = m->fs->super;
	if (inode == s->s_journal_inum)
		return "journal";
	if (inode == s->s_orphan_file_inum &&
		ext2fs_has_feature_orphan_file(m->fs->super))
		return "list of orphans";
	static const char *const names[] = {[EXT2_BAD_INO] = "list of bad blocks",
		[EXT4_USR_QUOTA_INO] = "user quota",
		[EXT4_GRP_QUOTA_INO] = "group quota",
		[EXT2_BOOT_LOADER_INO] = "boot loader",
		[EXT2_UNDEL_DIR_INO] = "undelete directory",
		[EXT2_RESIZE_INO] = "room for more group descriptors",
		[EXT2_EXCLUDE_INO] = "excluded blocks",
		[EXT4_REPLICA_INO] = "replica"};
	return inode < sizeof names / sizeof names[0] ? names[inode] : NULL;
}

static int use(struct ext4_map *m, const struct located *located)
{
	struct located item = *located;
	const char *special = special_name(m, m->inode);
	item.inode = m->inode;
	if (special && item.kind != LOCATED_META) {
		item.kind = LOCATED_META;
		item.what = special;
	}
	int r = locator_use(m->l, &item);
	m->hit = m->hit || (r > 0 && !special);
	return r < 0 ? r : 0;
}

static int flush_run(struct ext4_map *m)
{
	uint64_t bs = m->fs->blocksize, at = m->run_logical * bs;
	if (m->run_count == 0)
		return 0;
	struct located item = {.kind = m->kind,
		.offset = m->run_first * bs,
		.size = m->run_count * bs,
		.file_offset = at,
		.file_size = at < m->size ? m->size - at : 0};
	m->run_count = 0;
	return use(m, &item);
}

static int take_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t ref,
	int ref_offset, void *context)
{
	struct ext4_map *m = context;
	uint64_t bs = fs->blocksize;
	(void)ref;
	(void)ref_offset;
	if (spend(m, 1))
		return BLOCK_ABORT;
	if (*block >= m->l->size / bs)
		return 0;
	if (count < 0) {
		m->result = use(m,
			&(struct located){
				.kind = LOCATED_MAP, .offset = *block * bs, .size = bs});
		return m->result < 0 ? BLOCK_ABORT : 0;
	}
	if (m->run_count && *block == m->run_first + m->run_count &&
		(uint64_t)count == m->run_logical + m->run_count) {
		m->run_count++;
		return 0;
	}
	m->result = flush_run(m);
	m->run_first = *block;
	m->run_logical = (uint64_t)count;
	m->run_count = 1;
	return m->result < 0 ? BLOCK_ABORT : 0;
}

/* The inode itself, and the block of its attributes. */
static int use_inode(struct ext4_map *m, const struct ext2_inode *inode)
{
	const struct ext2_super_block *s = m->fs->super;
	uint64_t bs = m->fs->blocksize, size = EXT2_INODE_SIZE(s);
	dgrp_t g = (m->inode - 1) / s->s_inodes_per_group;
	uint64_t index = (m->inode - 1) % s->s_inodes_per_group;
	uint64_t table = ext2fs_inode_table_loc(m->fs, g);
	uint64_t attributes =
		ext2fs_file_acl_block(m->fs, (const struct ext2_inode *)inode);
	int r = 0;
	if (table < m->l->size / bs)
		r = use(m, &(struct located){.kind = LOCATED_INODE,
				   .offset = table * bs + index * size,
				   .size = size});
	if (r == 0 && attributes && attributes < m->l->size / bs)
		r = use(m, &(struct located){.kind = LOCATED_ATTRIBUTES,
				   .offset = attributes * bs,
				   .size = bs});
	return r;
}

static int take_inode(struct ext4_map *m, struct ext2_inode *inode)
{
	bool in_use = inode->i_links_count || special_name(m, m->inode);
	m->hit = false;
	m->run_count = 0;
	m->result = 0;
	if (!in_use || inode->i_mode == 0)
		return 0;
	m->kind = LINUX_S_ISDIR(inode->i_mode)   ? LOCATED_DIRECTORY
		  : LINUX_S_ISLNK(inode->i_mode) ? LOCATED_SYMLINK
						 : LOCATED_DATA;
	m->size = EXT2_I_SIZE(inode);
	int r = use_inode(m, inode);
	if (r == 0 && ext2fs_inode_has_valid_blocks2(m->fs, inode)) {
		errcode_t err = ext2fs_block_iterate3(
			m->fs, m->inode, BLOCK_FLAG_READ_ONLY, NULL, take_block, m);
		r = m->result < 0 ? m->result : flush_run(m);
		if (r == 0 && err && err != EXT2_ET_INLINE_DATA_CANT_ITERATE)
			r = fault(m, err, "block map of inode", m->inode);
	}
	if (r == 0 && m->hit)
		r = add_number(&m->wanted, &m->n_wanted, &m->wanted_capacity, m->inode);
	/* Only maps that ended within the budget are walked again, for their names. */
	if (r == 0 && m->kind == LOCATED_DIRECTORY && m->budget)
		r = add_number(&m->directories, &m->n_directories,
			&m->directories_capacity, m->inode);
	return r;
}

static int take_inodes(struct ext4_map *m)
{
	ext2_inode_scan scan;
	struct ext2_inode_large inode;
	errcode_t err = ext2fs_open_inode_scan(m->fs, 0, &scan);
	if (err)
		return fault(m, err, "inodes from", 1);
	int r = 0;
	while (r == 0) {
		err = ext2fs_get_next_inode_full(
			scan, &m->inode, (struct ext2_inode *)&inode, sizeof inode);
		if (err == EXT2_ET_BAD_BLOCK_IN_INODE_TABLE)
			continue;
		if (err) {
			r = fault(m, err, "inode behind", m->inode);
			break;
		}
		if (m->inode == 0)
			break;
		if (spend(m, 1)) {
			error_format("ext4: maps that never end; the last inode looked "
				     "at is %u",
				m->inode);
			r = locator_fault(m->l);
			break;
		}
		r = take_inode(m, (struct ext2_inode *)&inode);
	}
	ext2fs_close_inode_scan(scan);
	return r;
}

/* ---- names ------------------------------------------------------------------------- */

static int take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *d, int offset,
	int block_size, char *block, void *context)
{
	struct ext4_map *m = context;
	(void)offset;
	(void)block_size;
	(void)block;
	if (spend(m, 1))
		return DIRENT_ABORT;
	if (entry != DIRENT_OTHER_FILE || d->inode == 0)
		return 0;
	size_t size = (size_t)ext2fs_dirent_name_len(d);
	size_t i = find_number(m->directories, m->n_directories, d->inode);
	if (i < m->n_directories && !m->parents[i].inode) {
		m->parents[i] = (struct parent){dir, malloc(size + 1), size};
		if (m->parents[i].name)
			memcpy(m->parents[i].name, d->name, size);
		else
			m->result = error_memory();
	}
	if (find_number(m->wanted, m->n_wanted, d->inode) < m->n_wanted) {
		BUFFER path = {0};
		/* Made whole when all directories are known: here its place only. */
		m->result = buffer_append(&path, &dir, sizeof dir);
		if (m->result == 0)
			m->result = buffer_append(&path, d->name, size);
		if (m->result == 0)
			m->result = locator_name(m->l, d->inode, buffer_span(&path));
	}
	return m->result < 0 ? DIRENT_ABORT : 0;
}

static int take_directory(struct ext4_map *m, ext2_ino_t dir)
{
	errcode_t err = ext2fs_dir_iterate2(
		m->fs, dir, DIRENT_FLAG_INCLUDE_EMPTY, NULL, take_name, m);
	if (m->result < 0)
		return m->result;
	return err ? fault(m, err, "directory inode", dir) : 0;
}

/* Puts the directories a name lies in before it, from the nearest to the root. */
static int prepend(struct ext4_map *m, ext2_ino_t dir, struct walk *walk, size_t *node)
{
	size_t chain[256], n = 0;
	while (dir != EXT2_ROOT_INO && n < 256) {
		size_t i = find_number(m->directories, m->n_directories, dir);
		if (i == m->n_directories || !m->parents[i].inode)
			break;
		chain[n++] = i;
		dir = m->parents[i].inode;
	}
	int r = walk_add(walk, 0, EXT2_ROOT_INO, span_of("", 0));
	*node = 0;
	if (r == 0 && dir != EXT2_ROOT_INO) {
		r = walk_add(walk, 0, dir, span_of("(lost)", 6));
		*node = 1;
	}
	while (r == 0 && n > 0) {
		struct parent *p = &m->parents[chain[--n]];
		r = walk_add(walk, *node, 0, span_of(p->name, p->size));
		*node = walk->n_nodes - 1;
	}
	return r;
}

static int make_path(struct ext4_map *m, struct located_name *name)
{
	AUTO_WALK walk = {0};
	BUFFER path = {0};
	ext2_ino_t dir;
	size_t node;
	memcpy(&dir, name->path, sizeof dir);
	int r = prepend(m, dir, &walk, &node);
	if (r == 0)
		r = walk_path(&walk, node,
			span_of(name->path + sizeof dir, name->size - sizeof dir), &path);
	if (r == 0)
		r = buffer_append(&path, "", 1);
	if (r < 0)
		return r;
	free(name->path);
	name->size = path.size - 1;
	name->path = (char *)path.data;
	path = (struct buffer){0};
	return 0;
}

static int take_names(struct ext4_map *m)
{
	int r = 0;
	if (m->n_wanted == 0)
		return 0;
	m->parents = calloc(m->n_directories + 1, sizeof *m->parents);
	if (!m->parents)
		return error_memory();
	for (size_t i = 0; r == 0 && i < m->n_directories; i++)
		r = take_directory(m, m->directories[i]);
	size_t i = r == 0 ? 0 : m->l->n_names;
	for (; r == 0 && i < m->l->n_names; i++)
		r = make_path(m, &m->l->names[i]);
	if (r == 0 && find_number(m->wanted, m->n_wanted, EXT2_ROOT_INO) < m->n_wanted)
		r = locator_name(m->l, EXT2_ROOT_INO, span_of("/", 1));
	return r;
}

/* ---- all of it --------------------------------------------------------------------- */

static int map(struct ext4_map *m)
{
	int r = 0;
	for (dgrp_t g = 0; r == 0 && g < m->fs->group_desc_count; g++)
		r = use_group(m, g);
	if (r == 0)
		r = take_inodes(m);
	if (r == 0)
		r = take_names(m);
	for (size_t i = 0; m->parents && i < m->n_directories; i++)
		free(m->parents[i].name);
	free(m->parents);
	free(m->wanted);
	free(m->directories);
	return r;
}

int locate_ext4(struct locator *l)
{
	struct ext4_image image;
	uint64_t used_superblock;
	int r = ext4_image_open(&image, l->file, l->offset, l->size, &used_superblock);
	if (r < 0)
		return locator_fault(l);
	if (used_superblock) {
		error_format("ext4: the superblock or its descriptors cannot be read: "
			     "those at block %ju are used",
			(uintmax_t)used_superblock);
		r = locator_fault(l);
	}
	struct ext4_map m = {.l = l, .fs = image.fs};
	m.budget = 8 * (uint64_t)ext2fs_blocks_count(image.fs->super) + 65536;
	if (r == 0)
		r = map(&m);
	ext4_image_close(&image);
	return r;
}
