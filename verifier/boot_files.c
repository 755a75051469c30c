/* SPDX-License-Identifier: MIT */
#include "verifier/boot_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A directory on the way down. */
struct walk {
	struct boot_files *files;
	const struct fat *fat;
	const char *path; /* "" for the root, else it ends in a slash */
	unsigned depth;
};

static int refuse(const struct walk *w, const char *path, const char *why)
{
	return error_format("%s: EFI system partition at offset %ju: /%s: %s",
		w->fat->file->name, (uintmax_t)w->fat->offset, path, why);
}

static int list(struct walk *w, const struct fat_entry *directory);

static int list_below(const struct walk *w, char *path, const struct fat_entry *entry)
{
	if (w->depth + 1 >= BOOT_FILES_DEPTH)
		return refuse(w, path, "directories are nested too deeply");
	BUFFER below = {0};
	int r = buffer_printf(&below, "%s/", path);
	struct walk next = *w;
	next.path = buffer_text(&below);
	next.depth++;
	return r < 0 ? r : list(&next, entry);
}

/* Takes PATH. */
static int keep(const struct walk *w, char *path, const struct fat_entry *entry)
{
	struct boot_files *files = w->files;
	if (files->n_items >= BOOT_FILES_MAX) {
		int r = refuse(w, path, "too many files");
		free(path);
		return r;
	}
	struct boot_file *more =
		reallocarray(files->items, files->n_items + 1, sizeof *more);
	if (!more) {
		free(path);
		return error_memory();
	}
	files->items = more;
	more[files->n_items++] = (struct boot_file){.path = path, .entry = *entry};
	return 0;
}

static int found(void *context, const struct fat_entry *entry)
{
	struct walk *w = context;
	char *path = NULL;
	if (asprintf(&path, "%s%s", w->path, entry->name) < 0)
		return error_memory();
	if (!entry->is_directory)
		return keep(w, path, entry);
	int r = list_below(w, path, entry);
	free(path);
	return r;
}

static int list(struct walk *w, const struct fat_entry *directory)
{
	return fat_list(w->fat, directory, found, w);
}

int boot_files_list(struct boot_files *files, const struct fat *fat)
{
	struct walk w = {.files = files, .fat = fat, .path = ""};
	return list(&w, NULL);
}

void boot_files_free(struct boot_files *files)
{
	for (size_t i = 0; i < files->n_items; i++)
		free(files->items[i].path);
	free(files->items);
	*files = (struct boot_files){0};
}

static int read_sections(struct program *p)
{
	struct span kernel, cmdline;
	int r = pe_find(&p->pe, ".linux", &kernel);
	if (r < 0)
		return r;
	p->is_uki = r == 0;
	r = pe_find(&p->pe, ".cmdline", &cmdline);
	if (r != 0)
		return r < 0 ? r : 0;
	while (cmdline.size && (cmdline.data[cmdline.size - 1] == 0 ||
				       cmdline.data[cmdline.size - 1] == '\n'))
		cmdline.size--;
	p->cmdline = cmdline;
	return 0;
}

int program_read(struct program *p, const struct fat *fat, const struct boot_file *file)
{
	*p = (struct program){0};
	int r = fat_read(fat, &file->entry, BOOT_PROGRAM_MAX, &p->bytes);
	if (r == 0)
		r = pe_parse(&p->pe, buffer_span(&p->bytes), file->path);
	return r < 0 ? r : read_sections(p);
}

int program_read_file(struct program *p, const struct file *f)
{
	*p = (struct program){0};
	if (f->size > BOOT_PROGRAM_MAX)
		return error_format("%s: too large for an EFI program", f->name);
	int r = buffer_append_zeros(&p->bytes, (size_t)f->size);
	if (r == 0)
		r = file_read(f, p->bytes.data, p->bytes.size, 0);
	if (r == 0)
		r = pe_parse(&p->pe, buffer_span(&p->bytes), f->name);
	return r < 0 ? r : read_sections(p);
}

void program_free(struct program *p)
{
	buffer_free(&p->bytes);
	*p = (struct program){0};
}
