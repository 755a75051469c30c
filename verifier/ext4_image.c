/* SPDX-License-Identifier: MIT */
#include "verifier/ext4_image.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/span.h"

/* The interface has names of files only; what is to be opened is handed over here. */
static _Thread_local const struct ext4_image *opening;

static errcode_t image_open(const char *name, int flags, io_channel *channel);

static errcode_t image_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t image_set_blksize(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

/* A negative COUNT is one of bytes. */
static errcode_t image_read64(
	io_channel channel, unsigned long long block, int count, void *data)
{
	const struct ext4_image *image = channel->private_data;
	size_t size = count < 0 ? (size_t) - (long)count
				: (size_t)count * (size_t)channel->block_size;
	uint64_t at;
	if (u64_mul(block, (uint64_t)channel->block_size, &at) || at > image->size ||
		size > image->size - at ||
		file_read(image->file, data, size, image->offset + at) < 0) {
		memset(data, 0, size);
		return EXT2_ET_SHORT_READ;
	}
	return 0;
}

static errcode_t image_read(
	io_channel channel, unsigned long block, int count, void *data)
{
	return image_read64(channel, block, count, data);
}

static errcode_t image_write64(
	io_channel channel, unsigned long long block, int count, const void *data)
{
	(void)channel;
	(void)block;
	(void)count;
	(void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t image_write(
	io_channel channel, unsigned long block, int count, const void *data)
{
	return image_write64(channel, block, count, data);
}

static errcode_t image_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "image",
	.open = image_open,
	.close = image_close,
	.set_blksize = image_set_blksize,
	.read_blk = image_read,
	.write_blk = image_write,
	.flush = image_flush,
	.read_blk64 = image_read64,
	.write_blk64 = image_write64,
};

static errcode_t image_open(const char *name, int flags, io_channel *channel)
{
	if (flags & IO_FLAG_RW)
		return EXT2_ET_RO_FILSYS;
	io_channel c = calloc(1, sizeof *c);
	char *copy = strdup(name);
	if (!c || !copy) {
		free(c);
		free(copy);
		return EXT2_ET_NO_MEMORY;
	}
	*c = (struct struct_io_channel){.magic = EXT2_ET_MAGIC_IO_CHANNEL,
		.manager = &manager,
		.name = copy,
		.block_size = 1024,
		.refcount = 1,
		.private_data = (void *)(uintptr_t)opening};
	*channel = c;
	return 0;
}

/* With the superblock at BLOCK of BLOCK_SIZE bytes; 0: the usual one. */
static errcode_t try(struct ext4_image *image, uint64_t block, unsigned block_size)
{
	const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS |
			  EXT2_FLAG_SOFTSUPP_FEATURES | EXT2_FLAG_SKIP_MMP |
			  EXT2_FLAG_FORCE;
	opening = image;
	errcode_t err = ext2fs_open2(
		"image", NULL, flags, (int)block, block_size, &manager, &image->fs);
	opening = NULL;
	if (err == 0 && (uint64_t)ext2fs_blocks_count(image->fs->super) >
				image->size / image->fs->blocksize) {
		ext2fs_free(image->fs);
		image->fs = NULL;
		return EXT2_ET_CORRUPT_SUPERBLOCK;
	}
	return err;
}

/* For error_message. */
static pthread_once_t texts = PTHREAD_ONCE_INIT;

static void add_texts(void)
{
	add_error_table(&et_ext2_error_table);
}

int ext4_image_open(struct ext4_image *image, const struct file *f, uint64_t offset,
	uint64_t size, uint64_t *superblock)
{
	/* Where mke2fs puts the first backup, for each usual size of blocks. */
	static const struct {
		uint64_t block;
		unsigned block_size;
	} backups[] = {{32768, 4096}, {8193, 1024}, {16384, 2048}};
	*image = (struct ext4_image){.file = f, .offset = offset, .size = size};
	*superblock = 0;
	pthread_once(&texts, add_texts);
	errcode_t err = try(image, 0, 0);
	for (size_t i = 0; err && i < sizeof backups / sizeof backups[0]; i++) {
		if (try(image, backups[i].block, backups[i].block_size))
			continue;
		*superblock = backups[i].block;
		return 0;
	}
	if (err)
		return error_format("%s: offset %ju: ext4: %s", f->name,
			(uintmax_t)offset, error_message(err));
	return 0;
}

void ext4_image_close(struct ext4_image *image)
{
	/* Not ext2fs_close: there is nothing to write. */
	if (image->fs)
		ext2fs_free(image->fs);
	image->fs = NULL;
}
