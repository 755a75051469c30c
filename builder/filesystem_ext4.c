/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/ext4_node.h"
#include "builder/ext4_size.h"
#include "core/progress.h"

/*
 * ext4 through libext2fs alone. mke2fs would take its features from the host's
 * mke2fs.conf, make a lost+found that is not in the tree, and leave times to be cleaned;
 * here all of it is stated, and the size follows from the tree.
 */

static void choose_features(struct ext2_super_block *sb)
{
	ext2fs_set_feature_xattr(sb);
	ext2fs_set_feature_dir_index(sb);
	ext2fs_set_feature_filetype(sb);
	ext2fs_set_feature_extents(sb);
	ext2fs_set_feature_flex_bg(sb);
	ext2fs_set_feature_sparse_super(sb);
	ext2fs_set_feature_large_file(sb);
	ext2fs_set_feature_huge_file(sb);
	ext2fs_set_feature_dir_nlink(sb);
	ext2fs_set_feature_extra_isize(sb);
	ext2fs_set_feature_metadata_csum(sb);
	/* The kernel mounts it read-only whatever it is asked. */
	ext2fs_set_feature_readonly(sb);
}

static int initialize(struct ext4 *x, const struct ext4_size *size, const char *path)
{
	struct ext2_super_block param = {.s_rev_level = EXT2_DYNAMIC_REV,
		.s_log_block_size = 2,
		.s_log_cluster_size = 2,
		.s_inode_size = EXT4_INODE_SIZE,
		.s_log_groups_per_flex = 4,
		.s_inodes_count = (uint32_t)size->inodes};
	choose_features(&param);
	ext2fs_blocks_count_set(&param, size->blocks);
	errcode_t err = ext2fs_initialize(
		path, EXT2_FLAG_64BITS, &param, unix_io_manager, &x->fs);
	return err ? ext4_failed(x, err, NULL, "cannot be set up") : 0;
}

/* What the library would take from the clock, from chance or from the processor. */
static void set_identity(struct ext4 *x)
{
	const struct filesystem_options *o = x->job->options;
	struct ext2_super_block *sb = x->fs->super;
	/* 0 would mean the clock; the superblock has 32 bits and 8 more. */
	time_t epoch = o->epoch > 0 ? (time_t)o->epoch : 1;
	x->fs->now = epoch;
	memcpy(sb->s_uuid, o->uuid, sizeof sb->s_uuid);
	memcpy(sb->s_hash_seed, o->uuid, sizeof sb->s_hash_seed);
	ext2fs_init_csum_seed(x->fs);
	sb->s_checksum_type = EXT2_CRC32C_CHKSUM;
	sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
	sb->s_flags = (sb->s_flags & ~(uint32_t)EXT2_FLAGS_UNSIGNED_HASH) |
		      EXT2_FLAGS_SIGNED_HASH;
	sb->s_mkfs_time = sb->s_lastcheck = (uint32_t)epoch;
	sb->s_mkfs_time_hi = sb->s_lastcheck_hi = sb->s_wtime_hi = (uint8_t)(epoch >> 32);
	sb->s_kbytes_written = 0;
	sb->s_max_mnt_count = -1;
	sb->s_checkinterval = 0;
	sb->s_creator_os = EXT2_OS_LINUX;
	sb->s_min_extra_isize = sb->s_want_extra_isize =
		sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
	sb->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	ext2fs_r_blocks_count_set(sb, 0);
	if (o->label)
		memcpy(sb->s_volume_name, o->label,
			strnlen(o->label, sizeof sb->s_volume_name));
}

/* Inodes below the first that is free for use; the bad blocks list is empty. */
static errcode_t reserve_inodes(ext2_filsys fs)
{
	static const struct ext2_inode_large empty;
	errcode_t err = 0;
	for (ext2_ino_t i = 1; !err && i < EXT2_FIRST_INODE(fs->super); i++) {
		ext2fs_inode_alloc_stats2(fs, i, 1, i == EXT2_ROOT_INO);
		err = ext2fs_write_inode_full(
			fs, i, (struct ext2_inode *)&empty, sizeof empty);
	}
	return err;
}

static int lay_out(struct ext4 *x)
{
	ext2_filsys fs = x->fs;
	errcode_t err = ext2fs_allocate_tables(fs);
	/* The file is new: its inode tables are zeros already. */
	for (dgrp_t group = 0; !err && group < fs->group_desc_count; group++) {
		ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(fs, group);
	}
	if (!err)
		err = reserve_inodes(fs);
	return err ? ext4_failed(x, err, NULL, "cannot be laid out") : 0;
}

/* Numbers the files in the tree's order, and counts the names of each. */
static void choose_inodes(struct ext4 *x, size_t start, size_t end)
{
	ext2_ino_t next = EXT2_FIRST_INODE(x->fs->super);
	x->inodes[start] = EXT2_ROOT_INO;
	for (size_t i = start; i < end; i++) {
		size_t file = x->job->tree->entries[i].first_name;
		if (!x->inodes[file])
			x->inodes[file] = next++;
		x->n_names[file]++;
	}
}

/* Makes every file where its first name in this part is met: in the order of numbers. */
static int make_nodes(struct ext4 *x, size_t start, size_t end)
{
	ext2_ino_t next = EXT2_FIRST_INODE(x->fs->super);
	int r = ext4_make_node(x, start);
	for (size_t i = start + 1; r == 0 && i < end; i++)
		if (ext4_inode(x, i) == next) {
			next++;
			r = ext4_make_node(x, i);
		}
	return r;
}

static int fill(struct ext4 *x)
{
	const struct tree *tree = x->job->tree;
	size_t start = (size_t)(x->job->root - tree->entries);
	size_t end = tree_end(tree, x->job->root);
	x->inodes = calloc(tree->n_entries, sizeof *x->inodes);
	x->n_names = calloc(tree->n_entries, sizeof *x->n_names);
	int r = x->inodes && x->n_names ? 0 : error_memory();
	if (r == 0) {
		choose_inodes(x, start, end);
		r = make_nodes(x, start, end);
	}
	free(x->inodes);
	free(x->n_names);
	return r;
}

static int check_size(const struct filesystem_job *job, const struct ext4_size *size)
{
	if (size->blocks >= UINT32_MAX || size->inodes >= UINT32_MAX)
		return error_format("%s: too large for ext4 without 64-bit block numbers",
			job->tree->name);
	if (ftruncate(job->out->fd, (off_t)(size->blocks * EXT4_BLOCK)) < 0)
		return error_errno("%s: cannot set its size", job->out->name);
	return 0;
}

int filesystem_make_ext4(const struct filesystem_job *job)
{
	struct ext4 x = {.job = job};
	struct ext4_size size;
	char path[32];
	const char *version;
	ext2fs_get_library_version(&version, NULL);
	snprintf(job->info->tool, sizeof job->info->tool, "libext2fs %s", version);
	snprintf(path, sizeof path, "/proc/self/fd/%d", job->out->fd);
	int r = ext4_size(job, &size);
	if (r == 0)
		r = check_size(job, &size);
	if (r == 0)
		r = initialize(&x, &size, path);
	if (r < 0)
		return r;
	set_identity(&x);
	r = lay_out(&x);
	progress_begin("file system", size.blocks * EXT4_BLOCK);
	if (r == 0)
		r = fill(&x);
	progress_end();
	if (r < 0) {
		ext2fs_free(x.fs);
		return r;
	}
	errcode_t err = ext2fs_close_free(&x.fs);
	return err ? ext4_failed(&x, err, NULL, "cannot be written") : 0;
}
