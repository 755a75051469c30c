/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/objects.h"
#include "core/fsverity.h"
#include "core/hex.h"
#include "core/path.h"

int objects_stage_open(struct objects_stage *s, const struct objects *o)
{
	*s = (struct objects_stage){.store = o, .dirfd = -1, .verity = 1};
	int staging = openat(
		o->dirfd, "staging", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (staging < 0)
		return error_errno("%s: cannot open staging", o->name);
	int r = path_random(s->name);
	if (r == 0) {
		s->dirfd = path_make_dir(staging, s->name, 0700);
		r = s->dirfd < 0 ? s->dirfd : 0;
	}
	close(staging);
	return r;
}

/* True if the store has that blob already. */
static bool is_known(const struct objects *o, const uint8_t *digest)
{
	char path[OBJECTS_DIGEST_TEXT + 1];
	hex_encode(digest, 1, path);
	path[2] = '/';
	hex_encode(digest + 1, OBJECTS_DIGEST - 1, path + 3);
	return faccessat(o->objects, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Lets the file system check the file from now on, if it can: the file must not be open
 * for writing. The kernel comes to the digest that is the name, as both are made of the
 * same bytes.
 */
static int enable_verity(struct objects_stage *s, const char *name)
{
	struct fsverity_enable_arg arg = {.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = 4096};
	if (!atomic_load(&s->verity))
		return 0;
	int fd = openat(s->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;
	if (fd < 0)
		r = error_errno("%s: cannot open a staged blob", s->store->name);
	else if (ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) < 0) {
		/* Neither an old file system nor one made without it can, nor ever will.
		 */
		if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL)
			atomic_store(&s->verity, 0);
		else
			r = error_errno("%s: cannot enable fs-verity", s->store->name);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/* Renames the finished file NAME after DIGEST, or drops it if there is one already. */
static int keep(struct objects_stage *s, const char *name, const uint8_t *digest)
{
	char text[OBJECTS_DIGEST_TEXT];
	hex_encode(digest, OBJECTS_DIGEST, text);
	if (is_known(s->store, digest) ||
		faccessat(s->dirfd, text, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		atomic_fetch_add(&s->n_known, 1);
		unlinkat(s->dirfd, name, 0);
		return 0;
	}
	int r = enable_verity(s, name);
	if (r < 0)
		return r;
	if (renameat(s->dirfd, name, s->dirfd, text) < 0)
		return error_errno("%s: cannot stage a blob", s->store->name);
	atomic_fetch_add(&s->n_added, 1);
	return 0;
}

int objects_stage_add(struct objects_stage *s, uint64_t size,
	int (*write)(void *context, const struct file *to), void *context,
	uint8_t digest[OBJECTS_DIGEST])
{
	AUTO_FILE f = FILE_CLOSED;
	char name[32];
	snprintf(name, sizeof name, "new-%ju", (uintmax_t)atomic_fetch_add(&s->next, 1));
	int fd = openat(s->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	int r = fd < 0 ? error_errno("%s: cannot create a blob", s->store->name)
		       : file_from_fd(&f, fd, s->store->name);
	if (r == 0)
		r = write(context, &f);
	if (r == 0 && ftruncate(f.fd, (off_t)size) < 0)
		r = error_errno("%s: cannot write a blob", s->store->name);
	f.size = size;
	/* The copy is hashed, not the source: a file is named by the bytes it has. */
	struct merkle_data data = {.file = &f, .size = size};
	if (r == 0)
		r = fsverity_digest_file(&FSVERITY_DEFAULTS, &data, 1, digest);
	file_close(&f);
	return r < 0 ? r : keep(s, name, digest);
}

static int write_span(void *context, const struct file *to)
{
	const struct span *data = context;
	return file_write(to, data->data, data->size, 0);
}

int objects_stage_span(
	struct objects_stage *s, struct span data, uint8_t digest[OBJECTS_DIGEST])
{
	return objects_stage_add(s, data.size, write_span, &data, digest);
}

static int write_file(void *context, const struct file *to)
{
	return file_clone(context, to);
}

int objects_stage_file(
	struct objects_stage *s, const struct file *f, uint8_t digest[OBJECTS_DIGEST])
{
	/* write_file only reads through it. */
	return objects_stage_add(s, f->size, write_file, (void *)(uintptr_t)f, digest);
}

/* Moves one staged blob to objects/ab/. Another process may have been faster. */
static int put_in_place(const struct objects_stage *s, const char *name)
{
	char path[OBJECTS_DIGEST_TEXT + 1] = {name[0], name[1], 0};
	if (mkdirat(s->store->objects, path, 0755) < 0 && errno != EEXIST)
		return error_errno("%s: cannot create objects/%s", s->store->name, path);
	snprintf(path + 2, sizeof path - 2, "/%s", name + 2);
	if (path_rename_new(s->dirfd, name, s->store->objects, path) < 0 &&
		errno != EEXIST)
		return error_errno(
			"%s: cannot put objects/%s in place", s->store->name, path);
	return 0;
}

static int is_digest_name(const struct dirent *d)
{
	uint8_t digest[OBJECTS_DIGEST];
	return hex_decode(d->d_name, digest, OBJECTS_DIGEST) == 0;
}

int objects_stage_commit(struct objects_stage *s)
{
	struct dirent **names;
	/* All of their bytes are on the disk before any of their names is in objects/. */
	if (syncfs(s->dirfd) < 0)
		return error_errno("%s: cannot flush", s->store->name);
	int n = scandirat(s->dirfd, ".", &names, is_digest_name, alphasort), r = 0;
	if (n < 0)
		return error_errno("%s: cannot list what was staged", s->store->name);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = put_in_place(s, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (r == 0 && syncfs(s->dirfd) < 0)
		r = error_errno("%s: cannot flush", s->store->name);
	return r;
}

static int any_name(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

/* Removes the plain files of a directory, and then the directory NAME of PARENT. */
static int remove_directory(int parent, const char *name, int dirfd)
{
	struct dirent **names;
	int n = scandirat(dirfd, ".", &names, any_name, NULL);
	for (int i = 0; i < n; i++) {
		unlinkat(dirfd, names[i]->d_name, 0);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return unlinkat(parent, name, AT_REMOVEDIR);
}

void objects_stage_close(struct objects_stage *s)
{
	if (!s->store || s->dirfd < 0)
		return;
	int staging =
		openat(s->store->dirfd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (staging >= 0) {
		remove_directory(staging, s->name, s->dirfd);
		close(staging);
	}
	close(s->dirfd);
	s->dirfd = -1;
}

int objects_clean_staging(const struct objects *o)
{
	struct dirent **names;
	int staging = openat(
		o->dirfd, "staging", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int n = staging < 0 ? -1 : scandirat(staging, ".", &names, any_name, NULL), r = 0;
	if (n < 0)
		r = error_errno("%s: cannot list staging", o->name);
	for (int i = 0; i < n; i++) {
		int dir = openat(staging, names[i]->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* A ref that was about to be set is a plain file. */
		if (r == 0 &&
			(dir < 0 ? unlinkat(staging, names[i]->d_name, 0)
				 : remove_directory(staging, names[i]->d_name, dir)) < 0)
			r = error_errno("%s: cannot remove staging/%s", o->name,
				names[i]->d_name);
		if (dir >= 0)
			close(dir);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (staging >= 0)
		close(staging);
	return r;
}
