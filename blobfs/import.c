/* SPDX-License-Identifier: MIT */
#include "blobfs/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
	char *path; /* for messages and results */
	struct dirent **names;
	int n_names;
	int next;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes over FD and PATH; the level can be left whatever comes of it. */
static int enter(struct level *l, int fd, char *path)
{
	*l = (struct level){.fd = fd, .path = path};
	l->n_names = scandirat(fd, ".", &l->names, NULL, by_bytes);
	if (l->n_names < 0) {
		l->n_names = 0;
		return error_errno("%s: cannot list", path);
	}
	return 0;
}

static void leave(struct level *l)
{
	for (int k = 0; k < l->n_names; k++)
		free(l->names[k]);
	free(l->names);
	free(l->path);
	close(l->fd);
}

/* Adds the file NAME, which is called PATH from then on. */
static int add_file(
	struct blobfs_import *i, const struct level *l, const char *name, char *path)
{
	struct file f = FILE_CLOSED;
	int r = file_open_at(&f, l->fd, name);
	if (r < 0) {
		free(path);
		return error_context(r, "%s", l->path);
	}
	free(f.name);
	f.name = path;
	return take(i, &f);
}

/* Goes down into the directory NAME. Takes over PATH. */
static int go_down(struct level *levels, unsigned *depth, const char *name, char *path)
{
	const struct level *l = &levels[*depth - 1];
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, r;
	if (*depth == MAX_DEPTH) {
		r = error_format("%s: too many directories in each other", path);
	} else {
		int fd = openat(l->fd, name, flags);
		if (fd >= 0)
			return enter(&levels[(*depth)++], fd, path);
		r = error_errno("%s: cannot open", path);
	}
	free(path);
	return r;
}

/* One entry of the innermost directory: adds a file, or goes down. */
static int visit(struct blobfs_import *i, struct level *levels, unsigned *depth)
{
	struct level *l = &levels[*depth - 1];
	const char *name = l->names[l->next++]->d_name;
	struct stat st;
	char *path;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("%s/%s: cannot stat", l->path, name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	if (asprintf(&path, "%s/%s", l->path, name) < 0)
		return error_memory();
	return S_ISREG(st.st_mode) ? add_file(i, l, name, path)
				   : go_down(levels, depth, name, path);
}

int blobfs_import_dir(struct blobfs_import *i, const char *path)
{
	struct level *levels = calloc(MAX_DEPTH, sizeof *levels);
	if (!levels)
		return error_memory();
	unsigned depth = 0;
	char *name = strdup(path);
	int fd = name ? path_open_dir(path) : error_memory();
	int r = fd < 0 ? fd : enter(&levels[depth++], fd, name);
	if (fd < 0)
		free(name);
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
	return r;
}
