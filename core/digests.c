/* SPDX-License-Identifier: MIT */
#include "core/digests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/huge.h"
#include "core/interrupt.h"
#include "core/path.h"
#include "core/progress.h"
#include "core/workers.h"

/* Up to this size a thread takes a file at once; larger ones are cut into pieces. */
#define SMALL ((size_t)1 << 20)
/* From this size on all threads work on one file together. */
#define LARGE ((uint64_t)32 << 20)
#define LATER 1 /* a result: it is for all threads together */

struct run {
	struct digest_list *list;
	const struct fsverity_params *params;
	struct fsverity_maker maker;
	uint8_t **data; /* per thread: SMALL bytes, and room for the tree behind them */
	size_t tree_size;
};

void digest_list_free(struct digest_list *list)
{
	for (size_t i = 0; i < list->n_files; i++) {
		free(list->files[i].path);
		free(list->files[i].error);
	}
	free(list->files);
	*list = (struct digest_list){0};
}

int digest_list_add(struct digest_list *list, const char *path)
{
	if (list->n_files == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		struct digest_file *files =
			reallocarray(list->files, capacity, sizeof *files);
		if (!files)
			return error_memory();
		list->files = files;
		list->capacity = capacity;
	}
	char *copy = strdup(path);
	if (!copy)
		return error_memory();
	list->files[list->n_files++] = (struct digest_file){.path = copy};
	return 0;
}

static int keep(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk(struct digest_list *list, int dirfd, const char *path);

/* NAME below DIRFD, which the directory PATH is open as. */
static int walk_entry(
	struct digest_list *list, int dirfd, const char *path, const struct dirent *e)
{
	struct stat st;
	unsigned char type = e->d_type;
	BUFFER full = {0};
	size_t length = strlen(path);
	int r = buffer_printf(&full, "%s%s%s", path,
		length && path[length - 1] == '/' ? "" : "/", e->d_name);
	if (r < 0)
		return r;
	if (type == DT_UNKNOWN) {
		if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno("%s: cannot stat", buffer_text(&full));
		type = S_ISDIR(st.st_mode)   ? DT_DIR
		       : S_ISREG(st.st_mode) ? DT_REG
					     : DT_LNK;
	}
	if (type == DT_REG)
		return digest_list_add(list, buffer_text(&full));
	if (type != DT_DIR)
		return 0;
	int fd =
		openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("%s: cannot open", buffer_text(&full));
	r = walk(list, fd, buffer_text(&full));
	close(fd);
	return r;
}

static int walk(struct digest_list *list, int dirfd, const char *path)
{
	struct dirent **entries;
	int n = scandirat(dirfd, ".", &entries, keep, by_bytes);
	if (n < 0)
		return error_errno("%s: cannot list", path);
	int r = interrupt_check();
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = walk_entry(list, dirfd, path, entries[i]);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int digest_list_walk(struct digest_list *list, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return error_errno("%s: cannot open", path);
	if (!S_ISDIR(st.st_mode))
		return digest_list_add(list, path);
	int fd = path_open_dir(path);
	if (fd < 0)
		return fd;
	int r = walk(list, fd, path);
	close(fd);
	return r;
}

static int digest_open_file(
	const struct run *run, const struct file *f, uint8_t *data, uint8_t *digest)
{
	struct merkle_data whole = {f, 0, f->size};
	if (f->size > SMALL)
		return f->size >= LARGE
			       ? LATER
			       : fsverity_digest_file(run->params, &whole, 1, digest);
	size_t n;
	/* One byte more than there should be tells a file that grew. */
	int r = file_read_some(f, data, (size_t)f->size + 1, 0, &n);
	if (r == 0 && n != f->size)
		r = error_set(
			STATUS_FAILED, EIO, "%s: changed while it was read", f->name);
	return r < 0 ? r
		     : fsverity_make(
			       &run->maker, span_of(data, n), data + SMALL + 1, digest);
}

static int digest_one(void *context, unsigned worker, uint64_t item)
{
	struct run *run = context;
	struct digest_file *d = &run->list->files[item];
	AUTO_FILE f = FILE_CLOSED;
	int r = interrupt_check();
	if (r < 0)
		return r;
	r = file_open(&f, d->path);
	if (r == 0)
		r = digest_open_file(run, &f, run->data[worker], d->digest);
	d->result = r;
	if (r < 0 && (d->error = malloc(sizeof *d->error)))
		error_take(d->error);
	return 0;
}

/* The large ones, one after the other, each by all threads. */
static int digest_large(struct run *run, unsigned jobs)
{
	for (size_t i = 0; i < run->list->n_files; i++) {
		struct digest_file *d = &run->list->files[i];
		if (d->result != LATER)
			continue;
		AUTO_FILE f = FILE_CLOSED;
		int r = file_open(&f, d->path);
		struct merkle_data whole = {&f, 0, f.size};
		if (r == 0) {
			progress_begin(d->path, f.size);
			r = fsverity_digest_file(run->params, &whole, jobs, d->digest);
			progress_end();
		}
		d->result = r;
		if (r < 0 && (d->error = malloc(sizeof *d->error)))
			error_take(d->error);
		if ((r = interrupt_check()) < 0)
			return r;
	}
	return 0;
}

static int allocate(struct run *run, unsigned jobs)
{
	uint64_t tree_size;
	int r = fsverity_tree_size(run->params, SMALL, &tree_size);
	if (r < 0)
		return r;
	if (!(run->data = calloc(jobs, sizeof *run->data)))
		return error_memory();
	for (unsigned i = 0; i < jobs; i++)
		if (!(run->data[i] = huge_alloc(SMALL + 1 + tree_size)))
			return error_memory();
	return 0;
}

int digest_list_run(
	struct digest_list *list, const struct fsverity_params *p, unsigned jobs)
{
	struct run run = {.list = list, .params = p};
	if (jobs == 0)
		jobs = workers_default();
	int r = fsverity_prepare(&run.maker, p);
	if (r == 0)
		r = allocate(&run, jobs);
	if (r == 0)
		r = workers_run(jobs, list->n_files, digest_one, &run);
	if (r == 0)
		r = digest_large(&run, jobs);
	for (unsigned i = 0; run.data && i < jobs; i++)
		free(run.data[i]);
	free(run.data);
	fsverity_maker_free(&run.maker);
	return r;
}
