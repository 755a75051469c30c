/* SPDX-License-Identifier: MIT */
#include "builder/esp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/authenticode.h"
#include "core/fat.h"
#include "core/process.h"

#define MIB       (1u << 20)
#define SIGNING   (2u * AUTHENTICODE_MAX_SIZE) /* kernel and boot loader */
#define SMALLEST  (36u * MIB)                  /* FAT32 has at least 65,525 clusters */
#define FAT_LAST  4354819198                   /* 2107-12-31, the last */
#define FAT_FIRST 315532800 /* 1980-01-01, the first time FAT can say */

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
	/* Even, as FAT counts in steps of two seconds. */
	epoch = epoch < FAT_FIRST ? FAT_FIRST : epoch > FAT_LAST ? FAT_LAST : epoch;
	snprintf(date, sizeof date, "SOURCE_DATE_EPOCH=%jd", (intmax_t)(epoch & ~1));
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

/* ---- replacing ------------------------------------------------------------------- */

#define FILES_MAX 64
#define BYTES_MAX ((size_t)1 << 30)
#define DEPTH_MAX 8

/* Everything an ESP holds; the spans of the files point into the buffers. */
struct contents {
	const struct fat *fat;
	struct esp_file files[FILES_MAX];
	struct buffer bytes[FILES_MAX];
	size_t n_files;
	size_t total;
	int64_t epoch;
	char prefix[DEPTH_MAX * FAT_NAME_SIZE];
	unsigned depth;
};

static void contents_free(struct contents *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		free((char *)c->files[i].path);
		buffer_free(&c->bytes[i]);
	}
	c->n_files = 0;
}

/* FAT's local time, which here is UTC. */
static int64_t fat_time(const struct fat_entry *e)
{
	struct tm t = {.tm_year = (e->date >> 9) + 80,
		.tm_mon = (e->date >> 5 & 15) - 1,
		.tm_mday = e->date & 31,
		.tm_hour = e->time >> 11,
		.tm_min = e->time >> 5 & 63,
		.tm_sec = (e->time & 31) * 2};
	return timegm(&t);
}

static int foreign(const struct contents *c, const char *why)
{
	return error_set(STATUS_FORMAT, ENOTSUP,
		"%s: the EFI system partition was not made by this program: %s",
		c->fat->file->name, why);
}

static int take_file(struct contents *c, const struct fat_entry *e)
{
	if (c->n_files == FILES_MAX)
		return foreign(c, "too many files");
	struct esp_file *f = &c->files[c->n_files];
	struct buffer *b = &c->bytes[c->n_files];
	char *path;
	if (asprintf(&path, "%s%s", c->prefix, e->name) < 0)
		return error_memory();
	f->path = path;
	c->n_files++;
	c->epoch = fat_time(e);
	int r = fat_read(c->fat, e, BYTES_MAX - c->total, b);
	c->total += b->size;
	f->contents = buffer_span(b);
	return r;
}

static int take(void *context, const struct fat_entry *e)
{
	struct contents *c = context;
	if (!e->is_directory)
		return take_file(c, e);
	if (c->depth == DEPTH_MAX)
		return foreign(c, "directories too deep");
	size_t length = strlen(c->prefix);
	snprintf(c->prefix + length, sizeof c->prefix - length, "%s/", e->name);
	c->depth++;
	int r = fat_list(c->fat, e, take, c);
	c->depth--;
	c->prefix[length] = 0;
	return r;
}

static int same_bytes(
	const struct file *a, const struct file *b, uint64_t offset, uint64_t size)
{
	static const size_t step = 65536;
	uint8_t x[65536], y[65536];
	for (uint64_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? (size_t)(size - at) : step;
		int r = file_read(a, x, n, at);
		if (r == 0)
			r = file_read(b, y, n, offset + at);
		if (r < 0)
			return r;
		if (memcmp(x, y, n))
			return 1;
	}
	return 0;
}

static int put_replaced(struct contents *c, const struct esp_file *new)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (!strcasecmp(c->files[i].path, new->path)) {
			c->files[i].contents = new->contents;
			return 0;
		}
	return error_set(STATUS_FORMAT, ENOENT,
		"%s: the EFI system partition has no file %s", c->fat->file->name,
		new->path);
}

static int remake(struct contents *c, const struct file *f, const struct file *scratch,
	const struct esp_file *replaced, size_t n_replaced)
{
	const struct fat *fat = c->fat;
	struct esp e = {.files = c->files,
		.n_files = c->n_files,
		.size = fat->size,
		.volume_id = fat->volume_id,
		.epoch = c->epoch};
	int r = esp_make(&e, scratch);
	if (r == 0)
		r = same_bytes(scratch, f, fat->offset, fat->size);
	if (r > 0)
		return foreign(c, "made anew it has other bytes");
	for (size_t i = 0; r == 0 && i < n_replaced; i++)
		r = put_replaced(c, &replaced[i]);
	if (r == 0)
		r = esp_make(&e, scratch);
	return r < 0 ? r : file_copy(scratch, 0, f, fat->offset, fat->size, false);
}

int esp_replace(const struct file *f, uint64_t offset, uint64_t size,
	const struct esp_file *replaced, size_t n_replaced)
{
	struct fat fat;
	AUTO_FILE scratch = FILE_CLOSED;
	struct contents *c = calloc(1, sizeof *c);
	if (!c)
		return error_memory();
	c->fat = &fat;
	int r = fat_open(&fat, f, offset, size);
	if (r == 0)
		r = fat_list(&fat, NULL, take, c);
	if (r == 0)
		r = file_in_memory(&scratch, f->name, (struct span){0});
	if (r == 0)
		r = remake(c, f, &scratch, replaced, n_replaced);
	contents_free(c);
	free(c);
	return r;
}
