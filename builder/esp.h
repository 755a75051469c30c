/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_ESP_H
#define CAIRN_BUILDER_ESP_H

#include "core/file.h"

/*
 * EFI system partitions: FAT32 by mkfs.vfat, filled by mtools. The same files, size,
 * volume id and epoch give the same bytes.
 */

struct esp_file {
	const char *path;     /* "EFI/BOOT/BOOTX64.EFI"; directories are made as needed */
	struct span contents; /* not owned */
};

struct esp {
	const struct esp_file *files;
	size_t n_files;
	uint64_t size;      /* bytes, a multiple of 1 MiB; see esp_size */
	uint32_t volume_id; /* not 0 */
	int64_t epoch;      /* seconds; the time of every file, raised to 1980 (FAT's) */
};

/*
 * The size for files that take SIZE bytes together, in bytes: room for them twice, as an
 * update puts the next version's kernel beside this one's, and for the signatures that
 * may still come, and at least what FAT32 asks for.
 */
uint64_t esp_size(uint64_t size);

/* Writes the file system into F (made empty first), which is then E's size. */
int esp_make(const struct esp *e, const struct file *f);

/*
 * Replaces the files REPLACED, which must be there, in the ESP of SIZE bytes at OFFSET in
 * F. The file system is made anew, so it has the very bytes that esp_make would have
 * given with these files; -ENOTSUP, STATUS_FORMAT, if it was not made by esp_make, as
 * something would then be lost. The old bytes are overwritten only when the new ones are
 * complete.
 */
int esp_replace(const struct file *f, uint64_t offset, uint64_t size,
	const struct esp_file *replaced, size_t n_replaced);

#endif
