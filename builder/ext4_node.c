/* SPDX-License-Identifier: MIT */
#include "builder/ext4_node.h"

#include <errno.h>
#include <et/com_err.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/block_stream.h"
#include "builder/tree_build.h"
#include "core/progress.h"

int ext4_failed(const struct ext4 *x, errcode_t err, const char *path, const char *what)
{
	char quoted[TREE_QUOTE_SIZE];
	/* The library's own numbers lie above those of the system. */
	int code = err > 0 && err < 256 ? (int)err : EIO;
	if (err == EXT2_ET_EA_NO_SPACE)
		return error_format(
			"%s: %s: its extended attributes are too large for ext4",
			x->job->tree->name, tree_quote(path ? path : "", quoted));
	return error_set(STATUS_FAILED, code, "%s: %s%sext4: %s: %s", x->job->tree->name,
		path ? tree_quote(path, quoted) : "", path ? ": " : "", what,
		error_message(err));
}

ext2_ino_t ext4_inode(const struct ext4 *x, size_t index)
{
	return x->inodes[x->job->tree->entries[index].first_name];
}

/* The encodings of the kernel's old_encode_dev and new_encode_dev. */
static void set_device(struct ext2_inode_large *i, uint32_t major, uint32_t minor)
{
	if (major < 256 && minor < 256)
		i->i_block[0] = major << 8 | minor;
	else
		i->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

struct writing {
	struct ext4 *x;
	const struct tree_entry *entry;
	ext2_file_t file;
};

static int write_block(void *context, const uint8_t *data, uint64_t number)
{
	struct writing *w = context;
	unsigned written;
	errcode_t err = ext2fs_file_llseek(
		w->file, number * BLOCK_STREAM_SIZE, EXT2_SEEK_SET, NULL);
	if (!err)
		err = ext2fs_file_write(w->file, data, BLOCK_STREAM_SIZE, &written);
	progress_add(BLOCK_STREAM_SIZE);
	return err ? ext4_failed(w->x, err, w->entry->path, "cannot be written") : 0;
}

static int write_content(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode)
{
	struct writing w = {.x = x, .entry = e};
	errcode_t err = ext2fs_file_open(x->fs, inode, EXT2_FILE_WRITE, &w.file);
	if (err)
		return ext4_failed(x, err, e->path, "cannot be written");
	int r = block_stream(x->job->tree, e, write_block, &w);
	err = ext2fs_file_close(w.file);
	return r == 0 && err ? ext4_failed(x, err, e->path, "cannot be written") : r;
}

static int make_inode(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode)
{
	struct ext2_inode_large i = {.i_mode = (uint16_t)e->mode,
		.i_links_count = (uint16_t)x->n_names[e->first_name]};
	ext2_extent_handle_t extents;
	errcode_t err = 0;
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		set_device(&i, e->major, e->minor);
	if (S_ISREG(e->mode) || S_ISDIR(e->mode)) {
		/* Puts an empty extent tree into the inode. */
		err = ext2fs_extent_open2(
			x->fs, inode, (struct ext2_inode *)&i, &extents);
		if (!err)
			ext2fs_extent_free(extents);
	}
	if (!err)
		err = ext2fs_write_new_inode(x->fs, inode, (struct ext2_inode *)&i);
	/* The root's is reserved. */
	if (!err && inode >= EXT2_FIRST_INODE(x->fs->super))
		ext2fs_inode_alloc_stats2(x->fs, inode, 1, S_ISDIR(e->mode));
	return err ? ext4_failed(x, err, e->path, "cannot be made") : 0;
}

static int make_symlink(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode)
{
	struct ext2_inode_large i;
	/* No name: its directory has it. */
	errcode_t err = ext2fs_symlink(x->fs, EXT2_ROOT_INO, inode, NULL, e->target);
	if (!err)
		err = ext2fs_read_inode_full(
			x->fs, inode, (struct ext2_inode *)&i, sizeof i);
	i.i_links_count = (uint16_t)x->n_names[e->first_name];
	if (!err)
		err = ext2fs_write_inode_full(
			x->fs, inode, (struct ext2_inode *)&i, sizeof i);
	return err ? ext4_failed(x, err, e->path, "cannot be made") : 0;
}

static int set_xattrs(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode)
{
	struct ext2_xattr_handle *handle = NULL;
	errcode_t err = ext2fs_xattrs_open(x->fs, inode, &handle);
	if (!err)
		err = ext2fs_xattrs_read(handle);
	for (size_t i = 0; !err && i < e->n_xattrs; i++)
		err = ext2fs_xattr_set(handle, e->xattrs[i].name,
			e->xattrs[i].value ? (const void *)e->xattrs[i].value : "",
			e->xattrs[i].size);
	errcode_t closed = handle ? ext2fs_xattrs_close(&handle) : 0;
	err = err ? err : closed;
	return err ? ext4_failed(x, err, e->path, "cannot get its attributes") : 0;
}

/* The two bits above 32 and the nanoseconds (Documentation/filesystems/ext4, inodes). */
static uint32_t extra_time(const struct tree_entry *e)
{
	uint64_t above = (uint64_t)(e->mtime - (int32_t)(uint32_t)e->mtime) >> 32;
	return (uint32_t)(above & 3) | e->mtime_ns << 2;
}

static int set_attributes(struct ext4 *x, const struct tree_entry *e, ext2_ino_t inode)
{
	struct ext2_inode_large i;
	errcode_t err =
		ext2fs_read_inode_full(x->fs, inode, (struct ext2_inode *)&i, sizeof i);
	if (err)
		return ext4_failed(x, err, e->path, "cannot read its inode");
	i.i_mode = (uint16_t)e->mode;
	i.i_uid = (uint16_t)e->uid;
	i.i_gid = (uint16_t)e->gid;
	i.osd2.linux2.l_i_uid_high = (uint16_t)(e->uid >> 16);
	i.osd2.linux2.l_i_gid_high = (uint16_t)(e->gid >> 16);
	i.i_generation = 0;
	/* One time for all four: the others are no part of a tree. */
	i.i_mtime = i.i_atime = i.i_ctime = i.i_crtime = (uint32_t)e->mtime;
	i.i_mtime_extra = i.i_atime_extra = i.i_ctime_extra = i.i_crtime_extra =
		extra_time(e);
	if (S_ISREG(e->mode))
		err = ext2fs_inode_size_set(
			x->fs, (struct ext2_inode *)&i, (ext2_off64_t)e->size);
	if (!err)
		err = ext2fs_write_inode_full(
			x->fs, inode, (struct ext2_inode *)&i, sizeof i);
	if (err)
		return ext4_failed(x, err, e->path, "cannot write its inode");
	return e->n_xattrs ? set_xattrs(x, e, inode) : 0;
}

int ext4_make_node(struct ext4 *x, size_t index)
{
	const struct tree_entry *e = &x->job->tree->entries[index];
	ext2_ino_t inode = ext4_inode(x, index);
	int r = S_ISLNK(e->mode) ? make_symlink(x, e, inode) : make_inode(x, e, inode);
	if (r == 0 && S_ISDIR(e->mode))
		r = ext4_write_directory(x, index);
	if (r == 0 && S_ISREG(e->mode))
		r = write_content(x, e, inode);
	return r < 0 ? r : set_attributes(x, e, inode);
}
