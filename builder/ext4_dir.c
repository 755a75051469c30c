/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/ext4_node.h"
#include "builder/ext4_size.h"

/*
 * Directories, block by block in the tree's order. libext2fs would search a directory
 * from its start for every name it adds.
 */

#define TAIL_SIZE   ((unsigned)sizeof(struct ext2_dir_entry_tail))
#define USABLE_SIZE (EXT4_BLOCK - TAIL_SIZE)

struct directory {
	struct ext4 *x;
	const struct tree_entry *entry;
	ext2_ino_t inode;
	struct ext2_inode_large node;
	blk64_t n_blocks;
	unsigned used;               /* of the block */
	struct ext2_dir_entry *last; /* in the block */
	_Alignas(8) char block[EXT4_BLOCK];
};

static int type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

/* The last entry of a block reaches to its end; the rest is the checksum. */
static int flush(struct directory *d)
{
	ext2_filsys fs = d->x->fs;
	blk64_t block;
	if (d->used == 0)
		return 0;
	d->last->rec_len = (uint16_t)(d->last->rec_len + USABLE_SIZE - d->used);
	ext2fs_initialize_dirent_tail(
		fs, (struct ext2_dir_entry_tail *)(void *)(d->block + USABLE_SIZE));
	errcode_t err = ext2fs_bmap2(fs, d->inode, (struct ext2_inode *)&d->node, NULL,
		BMAP_ALLOC, d->n_blocks, NULL, &block);
	if (!err)
		err = ext2fs_write_dir_block4(fs, block, d->block, 0, d->inode);
	d->n_blocks++;
	d->used = 0;
	memset(d->block, 0, sizeof d->block);
	return err ? ext4_failed(d->x, err, d->entry->path, "cannot be written") : 0;
}

static int add(struct directory *d, const char *name, ext2_ino_t inode, int type)
{
	size_t length = strlen(name);
	unsigned size =
		(unsigned)(offsetof(struct ext2_dir_entry, name) + length + 3) & ~3u;
	int r = d->used + size > USABLE_SIZE ? flush(d) : 0;
	d->last = (struct ext2_dir_entry *)(void *)(d->block + d->used);
	d->last->inode = inode;
	d->last->rec_len = (uint16_t)size;
	ext2fs_dirent_set_name_len(d->last, (int)length);
	ext2fs_dirent_set_file_type(d->last, type);
	memcpy(d->last->name, name, length);
	d->used += size;
	return r;
}

/* Sets the size, and the link count that follows from the directories in it. */
static int close_directory(struct directory *d, uint64_t n_directories)
{
	ext2_filsys fs = d->x->fs;
	/* EXT4_LINK_MAX; beyond it the dir_nlink feature has a 1. */
	d->node.i_links_count =
		(uint16_t)(n_directories + 2 > 65000 ? 1 : n_directories + 2);
	errcode_t err = ext2fs_inode_size_set(fs, (struct ext2_inode *)&d->node,
		(ext2_off64_t)(d->n_blocks * EXT4_BLOCK));
	if (!err)
		err = ext2fs_write_inode_full(
			fs, d->inode, (struct ext2_inode *)&d->node, sizeof d->node);
	return err ? ext4_failed(d->x, err, d->entry->path, "cannot be written") : 0;
}

int ext4_write_directory(struct ext4 *x, size_t index)
{
	const struct tree *tree = x->job->tree;
	const struct tree_entry *e = &tree->entries[index];
	struct directory d = {.x = x, .entry = e, .inode = ext4_inode(x, index)};
	uint64_t n_directories = 0;
	errcode_t err = ext2fs_read_inode_full(
		x->fs, d.inode, (struct ext2_inode *)&d.node, sizeof d.node);
	if (err)
		return ext4_failed(x, err, e->path, "cannot read its inode");
	ext2_ino_t parent = e == x->job->root ? d.inode : ext4_inode(x, e->parent);
	int r = add(&d, ".", d.inode, EXT2_FT_DIR);
	if (r == 0)
		r = add(&d, "..", parent, EXT2_FT_DIR);
	size_t end = tree_end(tree, e);
	for (size_t i = index + 1; r == 0 && i < end;
		i = tree_end(tree, &tree->entries[i])) {
		const struct tree_entry *child = &tree->entries[i];
		n_directories += S_ISDIR(child->mode) != 0;
		r = add(&d, tree_base(child), ext4_inode(x, i), type_of(child->mode));
	}
	if (r == 0)
		r = flush(&d);
	return r < 0 ? r : close_directory(&d, n_directories);
}
