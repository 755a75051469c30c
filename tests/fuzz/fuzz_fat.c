/* SPDX-License-Identifier: MIT */
/*
 * A FAT file system: the input, and zeros behind it up to 4 MiB, so that all three kinds
 * fit into small inputs. Every directory is listed and every file read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fat.h"

#define SIZE  ((uint64_t)4 << 20)
#define DEPTH 4
#define FILES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	const struct fat *fat;
	unsigned depth, files;
};

static int visit(void *context, const struct fat_entry *e)
{
	struct walk *w = context;
	BUFFER b = {0};
	if (!e->name[0] || strlen(e->name) >= FAT_NAME_SIZE)
		abort();
	if (++w->files > FILES)
		return 1;
	if (e->is_directory) {
		if (w->depth == DEPTH)
			return 0;
		w->depth++;
		fat_list(w->fat, e, visit, w);
		w->depth--;
	} else if (fat_read(w->fat, e, 1 << 20, &b) == 0 && b.size != e->size) {
		abort();
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file f;
	static size_t last;
	static const uint8_t zeros[65536];
	struct fat fat;
	struct fat_entry e;
	if (!f.name && (file_in_memory(&f, "fat", (struct span){0}) < 0 ||
			       ftruncate(f.fd, (off_t)SIZE) < 0))
		abort();
	f.size = SIZE;
	if (size > sizeof zeros)
		return 0;
	if (last > size && file_write(&f, zeros, last - size, size) < 0)
		abort();
	last = size;
	if (file_write(&f, data, size, 0) < 0 || fat_open(&fat, &f, 0, SIZE) < 0)
		return 0;
	struct walk w = {.fat = &fat};
	fat_list(&fat, NULL, visit, &w);
	fat_find(&fat, "EFI/Linux/os+3.efi", &e);
	return 0;
}
