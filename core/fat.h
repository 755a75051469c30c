/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_FAT_H
#define CAIRN_CORE_FAT_H

#include "core/file.h"

/*
 * Reads FAT12, FAT16 and FAT32 file systems, as EFI system partitions are; nothing is
 * mounted and nothing written. Made for images from strangers: every number is checked
 * before it is used, every chain is bounded. Layout: Microsoft's "FAT: General Overview
 * of On-Disk Format" 1.03, which the UEFI specification refers to.
 */

#define FAT_NAME_SIZE  768 /* 255 UTF-16 units as UTF-8, and a NUL */
#define FAT_SHORT_SIZE 13  /* 8 and 3 characters, a dot, and a NUL */

struct fat {
	const struct file *file; /* not owned */
	uint64_t offset;         /* where the file system starts in the file, bytes */
	uint64_t size;           /* of the file system, bytes */
	unsigned bits;           /* 12, 16 or 32 */
	uint32_t cluster_size;   /* bytes */
	uint32_t n_clusters;     /* numbered from 2 */
	uint64_t table;          /* the first FAT, bytes from the start */
	uint64_t root;           /* FAT12/16: the root directory, bytes from the start */
	uint32_t root_entries;   /* FAT12/16: room in it */
	uint32_t root_cluster;   /* FAT32 */
	uint64_t data;           /* cluster 2, bytes from the start */
	uint32_t volume_id;
	char label[12]; /* of the boot sector, without trailing spaces */
};

struct fat_entry {
	char name[FAT_NAME_SIZE];        /* the long name if there is one; UTF-8 */
	char short_name[FAT_SHORT_SIZE]; /* what the file can be opened by as well */
	bool is_directory;
	uint32_t size;       /* bytes; 0 for directories */
	uint32_t cluster;    /* the first one; 0 if empty, or the root directory */
	uint16_t date, time; /* of the last change, as FAT stores them */
};

/* Opens the file system of SIZE bytes at OFFSET in F. STATUS_FORMAT if it is none. */
int fat_open(struct fat *fat, const struct file *f, uint64_t offset, uint64_t size);

/*
 * Calls FOUND for each file and directory of DIRECTORY (NULL: the root), in the order
 * on disk, without ".", ".." and the volume label. What FOUND returns other than 0 ends
 * the listing and is returned.
 */
int fat_list(const struct fat *fat, const struct fat_entry *directory,
	int (*found)(void *context, const struct fat_entry *entry), void *context);

/*
 * Whether one of the two names of a file ends in .efi, in any case: firmware opens it by
 * either, so that a long name cannot hide a program.
 */
bool fat_is_program(const struct fat_entry *entry);

/*
 * Finds PATH ("EFI/Linux/os.efi", a leading slash is ignored), ASCII letters compared
 * without case. -ENOENT, STATUS_FORMAT, if there is none.
 */
int fat_find(const struct fat *fat, const char *path, struct fat_entry *entry);

/* Appends the file's contents to B; more than LIMIT bytes are refused (STATUS_FORMAT). */
int fat_read(const struct fat *fat, const struct fat_entry *entry, size_t limit,
	struct buffer *b);

#endif
