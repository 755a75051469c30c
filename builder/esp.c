/* SPDX-License-Identifier: MIT */
#include "builder/esp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/process.h"

#define MIB       (1u << 20)
#define SIGNING   65536u      /* what two Authenticode signatures add, amply */
#define SMALLEST  (36u * MIB) /* FAT32 has at least 65,525 clusters */
#define FAT_FIRST 315532800   /* 1980-01-01, the first time FAT can say */

uint64_t esp_size(uint64_t size)
{
	uint64_t wanted = 2 * (size + SIGNING);
	wanted += wanted / 64 + MIB; /* the tables, directories, unfilled clusters */
	wanted = (wanted + MIB - 1) / MIB * MIB;
	return wanted < SMALLEST ? SMALLEST : wanted;
}

/* Runs a tool on the image, which it gets as its own /proc/self/fd/N. */
static int run(const char *const *argv, const struct file *f, int stdin_fd, int64_t epoch)
{
	char date[48];
	snprintf(date, sizeof date, "SOURCE_DATE_EPOCH=%jd",
		(intmax_t)(epoch < FAT_FIRST ? FAT_FIRST : epoch));
	const char *environment[] = {date, "MTOOLSRC=/dev/null", NULL};
	const struct process p = {.argv = argv,
		.setenv = environment,
		.keep_fds = &f->fd,
		.n_keep_fds = 1,
		.stdin_fd = stdin_fd,
		.stdout_fd = -1};
	return process_run(&p, NULL);
}

static int format(const struct esp *e, const struct file *f, const char *path)
{
	char volume[16];
	snprintf(volume, sizeof volume, "%08x", e->volume_id);
	const char *argv[] = {"mkfs.vfat", "--invariant", "-F", "32", "-S", "512", "-s",
		"1", "-n", "ESP", "-i", volume, path, NULL};
	return run(argv, f, -1, e->epoch);
}

/* Makes the directories that PATH needs and that the path before it did not. */
static int make_dirs(const struct esp *e, const struct file *f, const char *image,
	const char *path, const char *before)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		size_t length = (size_t)(slash - path);
		if (!strncmp(path, before, length) && before[length] == '/')
			continue;
		char *directory;
		if (asprintf(&directory, "::/%.*s", (int)length, path) < 0)
			return error_memory();
		const char *argv[] = {"mmd", "-i", image, directory, NULL};
		int r = run(argv, f, -1, e->epoch);
		free(directory);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_in(const struct esp *e, const struct file *f, const char *image,
	const struct esp_file *file)
{
	AUTO_FILE contents = FILE_CLOSED;
	int r = file_in_memory(&contents, file->path, file->contents);
	if (r < 0)
		return r;
	if (lseek(contents.fd, 0, SEEK_SET) < 0)
		return error_errno("%s: cannot rewind", file->path);
	char *target;
	if (asprintf(&target, "::/%s", file->path) < 0)
		return error_memory();
	const char *argv[] = {"mcopy", "-i", image, "-", target, NULL};
	r = run(argv, f, contents.fd, e->epoch);
	free(target);
	return r < 0 ? error_context(r, "%s", file->path) : r;
}

static int by_path(const void *a, const void *b)
{
	const struct esp_file *x = a, *y = b;
	return strcmp(x->path, y->path);
}

int esp_make(const struct esp *e, const struct file *f)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
	if (ftruncate(f->fd, 0) < 0 || ftruncate(f->fd, (off_t)e->size) < 0)
		return error_errno("%s: cannot set its size", f->name);
	int r = format(e, f, path);
	struct esp_file *sorted = calloc(e->n_files + 1, sizeof *sorted);
	if (!sorted)
		return error_memory();
	memcpy(sorted, e->files, e->n_files * sizeof *sorted);
	qsort(sorted, e->n_files, sizeof *sorted, by_path);
	for (size_t i = 0; r == 0 && i < e->n_files; i++) {
		r = make_dirs(e, f, path, sorted[i].path, i ? sorted[i - 1].path : "");
		if (r == 0)
			r = copy_in(e, f, path, &sorted[i]);
	}
	free(sorted);
	return r;
}
