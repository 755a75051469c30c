/* SPDX-License-Identifier: MIT */
#include "builder/ext4_size.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/block_stream.h"

/* Targets up to this size lie in the inode (EXT4_N_BLOCKS words). */
#define FAST_TARGET 60
/* Extents in the inode, in a block, and blocks in an extent (ext4_extents.h). */
#define EXTENTS_IN_INODE 4
#define EXTENTS_IN_BLOCK 340
#define EXTENT_BLOCKS    32768
/* A directory block without its checksum; up to a whole entry of it may stay unused. */
#define DIRECTORY_BLOCK     (EXT4_BLOCK - 12)
#define LONGEST_NAME_RECORD 264
#define DESCRIPTOR_SIZE     32

struct content {
	uint64_t blocks;
	uint64_t runs;
	uint64_t next;
};

static int count_block(void *context, const uint8_t *data, uint64_t number)
{
	struct content *c = context;
	(void)data;
	c->runs += c->blocks == 0 || number != c->next;
	c->blocks++;
	c->next = number + 1;
	return 0;
}

/*
 * Blocks of a file with those of its extent tree. The space may be in pieces where the
 * groups meet, hence one extent more for every half group and two to begin with.
 */
static int file_blocks(
	const struct tree *tree, const struct tree_entry *e, uint64_t *blocks)
{
	struct content c = {0};
	int r = block_stream(tree, e, count_block, &c);
	if (r < 0)
		return r;
	uint64_t extents = c.runs + c.blocks / (EXTENT_BLOCKS / 2) + 2;
	*blocks = c.blocks;
	if (extents > EXTENTS_IN_INODE)
		/* The library leaves blocks of the extent tree half full. */
		*blocks += 2 * u64_div_up(extents, EXTENTS_IN_BLOCK / 2) + 2;
	return 0;
}

static int entry_blocks(
	const struct tree *tree, const struct tree_entry *e, uint64_t *blocks)
{
	*blocks = 0;
	int r = S_ISREG(e->mode) ? file_blocks(tree, e, blocks) : 0;
	if (S_ISLNK(e->mode) && e->size >= FAST_TARGET)
		*blocks = 1;
	*blocks += e->n_xattrs != 0;
	return r;
}

/* Blocks of all directories: NAMES[i] are the bytes of the names in entry i. */
static uint64_t directory_blocks(const struct filesystem_job *job, const uint64_t *names)
{
	const struct tree *tree = job->tree;
	uint64_t blocks = 0;
	size_t end = tree_end(tree, job->root);
	for (size_t i = (size_t)(job->root - tree->entries); i < end; i++)
		if (S_ISDIR(tree->entries[i].mode))
			blocks += u64_div_up(
				names[i] + 24, DIRECTORY_BLOCK - LONGEST_NAME_RECORD);
	return blocks;
}

/* Adds up what each name takes in the directory it lies in. */
static void sum_names(const struct filesystem_job *job, uint64_t *names)
{
	const struct tree *tree = job->tree;
	size_t end = tree_end(tree, job->root);
	for (size_t i = (size_t)(job->root - tree->entries) + 1; i < end; i++) {
		const struct tree_entry *e = &tree->entries[i];
		names[e->parent] += (8 + strlen(tree_base(e)) + 3) & ~(size_t)3;
	}
}

/* Adds what the groups take themselves; that makes more groups, so until it fits. */
static void add_groups(struct ext4_size *size, uint64_t content)
{
	uint64_t inode_blocks, groups, descriptors;
	size->blocks = content;
	for (;;) {
		groups = u64_div_up(size->blocks, EXT4_BLOCKS_PER_GROUP);
		/* Inodes of a group fill whole blocks, and are a multiple of 8. */
		inode_blocks = u64_div_up(size->inodes * EXT4_INODE_SIZE / EXT4_BLOCK + 1,
				       groups) +
			       1;
		descriptors = u64_div_up(groups * DESCRIPTOR_SIZE, EXT4_BLOCK);
		uint64_t own = inode_blocks + 2 + 1 + descriptors;
		uint64_t need = content + groups * own;
		/* A last group with room for little more than itself would be cut off. */
		uint64_t rest = need % EXT4_BLOCKS_PER_GROUP;
		if (rest && rest < own + 64)
			need += own + 64 - rest;
		if (need <= size->blocks)
			return;
		size->blocks = need;
	}
}

static int add_entries(const struct filesystem_job *job, uint64_t *names,
	struct ext4_size *size, uint64_t *content)
{
	const struct tree *tree = job->tree;
	size_t end = tree_end(tree, job->root);
	int r = 0;
	sum_names(job, names);
	for (size_t i = (size_t)(job->root - tree->entries); r == 0 && i < end; i++) {
		const struct tree_entry *e = &tree->entries[i];
		uint64_t blocks;
		/* Other names of a file may lie outside of the part: counted once more.
		 */
		bool again =
			e->first_name != i && &tree->entries[e->first_name] >= job->root;
		if (again)
			continue;
		r = entry_blocks(tree, e, &blocks);
		size->inodes++;
		*content += blocks;
	}
	*content += directory_blocks(job, names);
	return r;
}

int ext4_size(const struct filesystem_job *job, struct ext4_size *size)
{
	*size = (struct ext4_size){.inodes = EXT4_RESERVED_INODES + 1};
	uint64_t content = 64, *names = calloc(job->tree->n_entries, sizeof *names);
	if (!names)
		return error_memory();
	int r = add_entries(job, names, size, &content);
	free(names);
	if (r == 0)
		add_groups(size, content);
	return r;
}
