/* SPDX-License-Identifier: MIT */
#include "builder/filesystem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/filesystem_make.h"

#define IMAGE_BLOCK 4096

/* A way to compress: its name, and the levels it knows (0 to 0: none). */
struct method {
	const char *name;
	int least, most;
};

/*
 * The first of each type is the default. erofs: lz4, which every kernel since 5.13
 * reads (in clusters of more than a block) and which decompresses so fast that having
 * less to read and to verify makes booting faster. On a Debian base tree lz4hc is 2 %
 * smaller but takes eight times as long to make; zstd is 12 % smaller, is slower to read,
 * and needs a kernel of 6.10 or later. squashfs: zstd at a low level, within a few per
 * cent of the size of the highest in a fraction of the time.
 */
static const struct method erofs_methods[] = {{"lz4", 0, 0}, {"none", 0, 0},
	{"lz4hc", 0, 12}, {"deflate", 0, 9}, {"lzma", 0, 9}, {"zstd", 0, 22},
	{NULL, 0, 0}};
static const struct method squashfs_methods[] = {
	{"zstd", 1, 22}, {"gzip", 1, 9}, {"xz", 0, 0}, {"lz4", 0, 0}, {NULL, 0, 0}};
static const struct method ext4_methods[] = {{"none", 0, 0}, {NULL, 0, 0}};

static const struct {
	const char *name;
	const struct method *methods;
	int default_level;
	int (*make)(const struct filesystem_job *job);
} types[] = {
	[FILESYSTEM_EROFS] = {"erofs", erofs_methods, -1, filesystem_make_erofs},
	[FILESYSTEM_SQUASHFS] = {"squashfs", squashfs_methods, 6,
		filesystem_make_squashfs},
	[FILESYSTEM_EXT4] = {"ext4", ext4_methods, -1, filesystem_make_ext4},
};

#define N_TYPES (sizeof types / sizeof types[0])

const char *filesystem_name(enum filesystem_type type)
{
	return types[type].name;
}

int filesystem_by_name(const char *name, enum filesystem_type *type)
{
	for (unsigned i = 0; i < N_TYPES; i++)
		if (!strcmp(types[i].name, name)) {
			*type = (enum filesystem_type)i;
			return 0;
		}
	return error_usage("%s: no such file system; erofs, squashfs or ext4", name);
}

static int refuse_method(const struct filesystem_job *job, const char *wanted)
{
	BUFFER known = {0};
	const struct method *m = types[job->options->type].methods;
	for (; m->name; m++)
		if (buffer_printf(&known, "%s%s", known.size ? ", " : "", m->name) < 0)
			return error_memory();
	return error_usage("%s: no compression of %s, which has: %s", wanted,
		filesystem_name(job->options->type), buffer_text(&known));
}

/* "METHOD" or "METHOD,LEVEL" */
static int choose_method(struct filesystem_job *job)
{
	const struct method *m = types[job->options->type].methods;
	const char *wanted = job->options->compress;
	job->level = wanted ? -1 : types[job->options->type].default_level;
	size_t length = wanted ? strcspn(wanted, ",") : 0;
	for (; wanted && m->name; m++)
		if (strlen(m->name) == length && !strncmp(m->name, wanted, length))
			break;
	if (!m->name)
		return refuse_method(job, wanted);
	if (wanted && wanted[length]) {
		char *end;
		long level = strtol(wanted + length + 1, &end, 10);
		if (*end || end == wanted + length + 1 || level < m->least ||
			level > m->most)
			return error_usage("%s: %s has levels %d to %d", wanted, m->name,
				m->least, m->most);
		job->level = (int)level;
	}
	snprintf(job->method, sizeof job->method, "%s", m->name);
	snprintf(job->info->compress, sizeof job->info->compress,
		job->level < 0 ? "%s" : "%s,%d", m->name, job->level);
	return 0;
}

/* The image fills whole blocks of 4096 bytes, as dm-verity covers nothing less. */
static int finish(struct filesystem_job *job)
{
	struct stat st;
	uint64_t size;
	if (fstat(job->out->fd, &st) < 0)
		return error_errno("%s: cannot stat", job->out->name);
	if (u64_align((uint64_t)st.st_size, IMAGE_BLOCK, &size))
		return error_format("%s: too large", job->out->name);
	if (size != (uint64_t)st.st_size && ftruncate(job->out->fd, (off_t)size) < 0)
		return error_errno("%s: cannot set its size", job->out->name);
	job->out->size = size;
	job->info->size = size;
	return 0;
}

int filesystem_make(const struct tree *tree, const struct filesystem_options *options,
	struct file *out, struct filesystem_info *info)
{
	*info = (struct filesystem_info){0};
	struct filesystem_job job = {
		.tree = tree, .options = options, .out = out, .info = info};
	const char *part = options->subtree ? options->subtree : "";
	job.root = tree_find(tree, part);
	if (!job.root || !S_ISDIR(job.root->mode))
		return error_format("%s: has no directory /%s", tree->name, part);
	if (options->label && strlen(options->label) > 15)
		return error_usage("%s: a label has at most 15 bytes", options->label);
	info->n_entries = tree_end(tree, job.root) - (size_t)(job.root - tree->entries);
	int r = choose_method(&job);
	if (r == 0)
		r = filesystem_check(&job);
	if (r == 0)
		r = types[options->type].make(&job);
	return r < 0 ? r : finish(&job);
}
