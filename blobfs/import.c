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
#include "core/workers.h"

#define OPEN_FILES 256
#define MAX_DEPTH  256

/* Stays open while the walk is in it or below, or a file in it is to be opened. */
struct directory {
	int fd;
	unsigned users;
	char *path; /* for messages */
};

/* A file that was seen in a directory. */
struct blobfs_found {
	struct directory *directory; /* NULL: it is open already */
	char *path;
};

static void let_go(struct directory *d)
{
	if (--d->users > 0)
		return;
	close(d->fd);
	free(d->path);
	free(d);
}

static void forget(struct blobfs_found *f)
{
	if (f->directory)
		let_go(f->directory);
	free(f->path);
	*f = (struct blobfs_found){0};
}

int blobfs_import_start(struct blobfs_import *i, struct blobfs_store *store,
	unsigned jobs, const struct blobfs_add_result *result)
{
	*i = (struct blobfs_import){.store = store, .jobs = jobs, .result = result};
	i->files = calloc(OPEN_FILES, sizeof *i->files);
	i->found = calloc(OPEN_FILES, sizeof *i->found);
	return i->files && i->found ? 0 : error_memory();
}

void blobfs_import_stop(struct blobfs_import *i)
{
	for (size_t n = 0; n < i->n_files; n++) {
		file_close(&i->files[n]);
		forget(&i->found[n]);
	}
	free(i->files);
	free(i->found);
	*i = (struct blobfs_import){0};
}

static int open_found(void *context, unsigned worker, uint64_t item)
{
	(void)worker;
	struct blobfs_import *i = context;
	struct blobfs_found *found = &i->found[item];
	struct file *f = &i->files[item];
	if (!found->directory)
		return 0;
	int r = file_open_at(f, found->directory->fd, path_base(found->path));
	if (r < 0)
		return error_context(r, "%s", found->directory->path);
	free(f->name);
	f->name = found->path;
	found->path = NULL;
	return 0;
}

int blobfs_import_finish(struct blobfs_import *i)
{
	size_t n = i->n_files;
	int r = workers_run(i->jobs, n, open_found, i);
	for (size_t k = 0; k < n; k++)
		forget(&i->found[k]);
	if (r == 0)
		r = blobfs_add_files(i->store, i->files, n, i->jobs, i->result);
	for (size_t k = 0; k < n; k++)
		file_close(&i->files[k]);
	i->n_files = 0;
	return r;
}

/* One file more, which is open or was found. */
static int take(struct blobfs_import *i, struct file f, struct blobfs_found found)
{
	i->files[i->n_files] = f;
	i->found[i->n_files++] = found;
	return i->n_files == OPEN_FILES ? blobfs_import_finish(i) : 0;
}

int blobfs_import_file(struct blobfs_import *i, const char *path)
{
	struct file f = FILE_CLOSED;
	int r = file_open(&f, path);
	return r < 0 ? r : take(i, f, (struct blobfs_found){0});
}

/* A directory on the way down: its entries, sorted, and how far we are. */
struct level {
	struct directory *directory;
	struct dirent **names;
	int n_names;
	int next;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void leave(struct level *l)
{
	for (int k = 0; k < l->n_names; k++)
		free(l->names[k]);
	free(l->names);
	let_go(l->directory);
}

/* Goes down into a directory. Takes over PATH and FD, which may be an error. */
static int enter(struct level *levels, unsigned *depth, int fd, char *path)
{
	struct level *l = &levels[*depth];
	int r = fd < 0 ? fd : 0;
	*l = (struct level){.directory = r < 0 ? NULL : malloc(sizeof *l->directory)};
	if (r == 0 && !l->directory)
		r = error_memory();
	if (r == 0 && (l->n_names = scandirat(fd, ".", &l->names, NULL, by_bytes)) < 0)
		r = error_errno("%s: cannot list", path);
	if (r == 0) {
		*l->directory = (struct directory){fd, 1, path};
		++*depth;
		return 0;
	}
	free(l->directory);
	if (fd >= 0)
		close(fd);
	free(path);
	return r;
}

/* Goes down into the directory NAME below DIRFD. Takes over PATH. */
static int go_down(
	struct level *levels, unsigned *depth, int dirfd, const char *name, char *path)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd;
	if (*depth == MAX_DEPTH)
		fd = error_format("%s: too many directories in each other", path);
	else if ((fd = openat(dirfd, name, flags)) < 0)
		fd = error_errno("%s: cannot open", path);
	return enter(levels, depth, fd, path);
}

/* The kind of a directory's entry, DT_REG, DT_DIR or another; a negative errno. */
static int kind_of(const struct level *l, const struct dirent *e)
{
	struct stat st;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(l->directory->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("%s/%s: cannot stat", l->directory->path, e->d_name);
	return (int)IFTODT(st.st_mode);
}

/* One entry of the innermost directory: notes a file, or goes down. */
static int visit(struct blobfs_import *i, struct level *levels, unsigned *depth)
{
	struct level *l = &levels[*depth - 1];
	const struct dirent *e = l->names[l->next++];
	const char *name = e->d_name;
	char *path;
	int kind = kind_of(l, e);
	if (kind < 0 || !strcmp(name, ".") || !strcmp(name, "..") ||
		(kind != DT_REG && kind != DT_DIR))
		return kind < 0 ? kind : 0;
	if (asprintf(&path, "%s/%s", l->directory->path, name) < 0)
		return error_memory();
	if (kind == DT_DIR)
		return go_down(levels, depth, l->directory->fd, name, path);
	l->directory->users++;
	return take(i, FILE_CLOSED, (struct blobfs_found){l->directory, path});
}

int blobfs_import_dir(struct blobfs_import *i, const char *path)
{
	struct level *levels = calloc(MAX_DEPTH + 1, sizeof *levels);
	if (!levels)
		return error_memory();
	unsigned depth = 0;
	char *name = strdup(path);
	int r = name ? enter(levels, &depth, path_open_dir(path), name) : error_memory();
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
