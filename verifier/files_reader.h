/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_FILES_READER_H
#define CAIRN_VERIFIER_FILES_READER_H

#include "verifier/files.h"
#include "verifier/locator.h"

/* A kind of file system, as verifier/files_*.c implement it. Owned by the list. */
struct files_reader {
	/* Gives all bytes of the regular file ENTRY to SINK, in order. */
	int (*stream)(struct files_reader *reader, const struct files_entry *entry,
		int (*sink)(void *context, struct span data), void *context);
	/* As files_pieces. */
	int (*pieces)(struct files_reader *reader, const struct files_entry *entry,
		int (*take)(void *context, const struct files_piece *piece),
		void *context);
	void (*free)(struct files_reader *reader);
	uint64_t size; /* of the file system, bytes */
};

/* Each sets LIST->reader and adds all entries, in any order. */
int files_load_erofs(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size);
int files_load_squashfs(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size);
int files_load_ext4(
	struct files *list, const struct file *f, uint64_t offset, uint64_t size);

#endif
