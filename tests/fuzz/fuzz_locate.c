/* SPDX-License-Identifier: MIT */
/*
 * A file system of any kind, of which every block is asked for: whatever it says, what is
 * found must be inside of it, in order, and cover all that was asked for. Then its files
 * are listed, and some of them read, and mapped piece by piece as cairn diff does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "verifier/files.h"
#include "verifier/locate.h"

#define BLOCK 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct locator *l)
{
	uint64_t covered = 0;
	for (size_t i = 0; i < l->n_items; i++) {
		const struct located *item = &l->items[i];
		if (item->size == 0 || item->size > l->size ||
			item->offset > l->size - item->size)
			abort();
		if (i && item->offset < l->items[i - 1].offset)
			abort();
		if (item->offset > covered)
			abort();
		if (item->offset + item->size > covered)
			covered = item->offset + item->size;
	}
	if (!l->incomplete && covered != l->size)
		abort();
}

struct pieces {
	uint64_t n;
};

/* Where a file's bytes are, before anybody has checked that: no end, no crash. */
static int take_piece(void *context, const struct files_piece *piece)
{
	struct pieces *p = context;
	if (piece->plain && piece->stored != piece->length)
		abort();
	return ++p->n > 100000;
}

static void read_files(const struct file *f, uint64_t size)
{
	AUTO_FILES list = {0};
	if (files_load(&list, f, 0, size) < 0)
		return;
	for (size_t i = 0; i < list.n_items; i++) {
		struct files_entry *e = &list.items[i];
		if (e->path[0] != '/' || (i && strcmp(e->path, e[-1].path) < 0))
			abort();
		if (i < 50 && S_ISREG(e->mode) && e->size < 1 << 20)
			files_digest(&list, e);
		if (i < 50 && S_ISREG(e->mode))
			files_pieces(&list, e, take_piece, &(struct pieces){0});
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FILE f = FILE_CLOSED;
	AUTO_LOCATOR l = {0};
	BUFFER text = {0};
	if (size == 0)
		return 0;
	if (file_in_memory(&f, "image", span_of(data, size)) < 0)
		abort();
	locator_init(&l, &f, 0, size);
	for (uint64_t at = 0; at < size; at += BLOCK)
		if (locator_want(&l, at, size - at < BLOCK ? size - at : BLOCK) < 0)
			abort();
	if (locate(&l) < 0)
		abort();
	check(&l);
	if (locator_describe(&l, 0, BLOCK, 8, &text) < 0)
		abort();
	json_object_put(locator_json(&l, 0, BLOCK));
	read_files(&f, size);
	return 0;
}
