/* SPDX-License-Identifier: MIT */
#include "blobfs/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"

#define OPEN_FILES 256
#define MAX_DEPTH  256

int blobfs_import_start(struct blobfs_import *i, struct blobfs_store *store,
	unsigned jobs, const struct blobfs_add_result *result)
{
	*i = (struct blobfs_import){.store = store, .jobs = jobs, .result = result};
	i->files = calloc(OPEN_FILES, sizeof *i->files);
	return i->files ? 0 : error_memory();
}

void blobfs_import_stop(struct blobfs_import *i)
{
	for (size_t n = 0; n < i->n_files; n++)
		file_close(&i->files[n]);
	free(i->files);
	*i = (struct blobfs_import){0};
}

int blobfs_import_finish(struct blobfs_import *i)
{
	size_t n = i->n_files;
	int r = blobfs_add_files(i->store, i->files, n, i->jobs, i->result);
	for (size_t k = 0; k < n; k++)
		file_close(&i->files[k]);
	i->n_files = 0;
	return r;
}

/* Takes over an open file. */
static int take(struct blobfs_import *i, struct file *f)
{
	i->files[i->n_files++] = *f;
	*f = FILE_CLOSED;
	return i->n_files == OPEN_FILES ? blobfs_import_finish(i) : 0;
}

int blobfs_import_file(struct blobfs_import *i, const char *path)
{
	struct file f = FILE_CLOSED;
	int r = file_open(&f, path);
	return r < 0 ? r : take(i, &f);
}

/* A directory on the way down: its entries, sorted, and how far we are. */
struct level {
	int fd;
	struct dirent **names;
	int n_names;
	int next;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes over FD. */
static int enter(struct level *l, int fd, const char *name)
{
	*l = (struct level){.fd = fd};
	l->n_names = scandirat(fd, ".", &l->names, NULL, by_bytes);
	if (l->n_names < 0) {
		l->n_names = 0;
		return error_errno("%s: cannot list", name);
	}
	return 0;
}

static void leave(struct level *l)
{
	for (int k = 0; k < l->n_names; k++)
		free(l->names[k]);
	free(l->names);
	close(l->fd);
}

/* One entry of the innermost directory: adds a file, or goes down. */
static int visit(struct blobfs_import *i, struct level *levels, unsigned *depth)
{
	struct level *l = &levels[*depth - 1];
	const char *name = l->names[l->next++]->d_name;
	struct stat st;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("%s: cannot stat", name);
	if (S_ISREG(st.st_mode)) {
		struct file f = FILE_CLOSED;
		int r = file_open_at(&f, l->fd, name);
		return r < 0 ? r : take(i, &f);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (*depth == MAX_DEPTH)
		return error_format("%s: too many directories in each other", name);
	int fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("%s: cannot open", name);
	return enter(&levels[(*depth)++], fd, name);
}

int blobfs_import_dir(struct blobfs_import *i, const char *path)
{
	struct level *levels = calloc(MAX_DEPTH, sizeof *levels);
	if (!levels)
		return error_memory();
	unsigned depth = 0;
	int fd = path_open_dir(path);
	int r = fd < 0 ? fd : enter(&levels[depth++], fd, path);
	while (r == 0 && depth > 0) {
		struct level *l = &levels[depth - 1];
		if (l->next < l->n_names) {
			r = visit(i, levels, &depth);
		} else {
			leave(l);
			depth--;
		}
	}
	while (depth > 0)
		leave(&levels[--depth]);
	free(levels);
	return r < 0 ? error_context(r, "%s", path) : 0;
}
