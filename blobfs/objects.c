/* SPDX-License-Identifier: MIT */
#include "blobfs/objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobfs/refs.h"
#include "core/fsverity.h"
#include "core/hex.h"
#include "core/path.h"

#define LOCK_TIMEOUT_MS 10000
#define PATH_SIZE       (OBJECTS_DIGEST_TEXT + 1)

static char *object_path(const uint8_t *digest, char path[PATH_SIZE])
{
	hex_encode(digest, 1, path);
	path[2] = '/';
	hex_encode(digest + 1, OBJECTS_DIGEST - 1, path + 3);
	return path;
}

int objects_parse(const char *text, uint8_t digest[OBJECTS_DIGEST])
{
	if (!strncmp(text, "sha256:", 7))
		text += 7;
	if (strlen(text) == PATH_SIZE - 1 && text[2] == '/') {
		char first[3] = {text[0], text[1], 0};
		return hex_decode(first, digest, 1) || hex_decode(text + 3, digest + 1,
							       OBJECTS_DIGEST - 1)
			       ? -1
			       : 0;
	}
	return hex_decode(text, digest, OBJECTS_DIGEST);
}

/* ---- opening ----------------------------------------------------------------------- */

static int open_or_make(int dirfd, const char *store, const char *name, bool create)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create &&
		(mkdirat(dirfd, name, 0755) == 0 || errno == EEXIST))
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("%s: no store of blobs: %s", store, name);
	return fd;
}

static int make_parts(struct objects *o, bool create)
{
	static const char *const parts[] = {"refs", "staging"};
	for (size_t i = 0; create && i < sizeof parts / sizeof parts[0]; i++)
		if (mkdirat(o->dirfd, parts[i], 0755) < 0 && errno != EEXIST)
			return error_errno("%s: cannot create %s", o->name, parts[i]);
	o->objects = open_or_make(o->dirfd, o->name, "objects", create);
	return o->objects < 0 ? o->objects : 0;
}

static int take_lock(struct objects *o, enum objects_mode mode)
{
	/* A store on read-only media has no other writers either. */
	int flags = mode == OBJECTS_READ ? O_RDONLY : O_RDWR | O_CREAT;
	int fd = openat(
		o->dirfd, "lock", flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
	if (fd < 0)
		return error_errno("%s: cannot open its lock", o->name);
	int r = file_from_fd(&o->lock, fd, o->name);
	if (r < 0)
		return r;
	return file_lock(
		&o->lock, mode == OBJECTS_COLLECT ? LOCK_EX : LOCK_SH, LOCK_TIMEOUT_MS);
}

int objects_open(struct objects *o, const char *dir, enum objects_mode mode)
{
	*o = OBJECTS_CLOSED;
	int r = mode == OBJECTS_ADD ? path_make_dirs(dir, 0755) : 0;
	if (r == 0 && !(o->name = strdup(dir)))
		r = error_memory();
	if (r == 0) {
		o->dirfd = path_open_dir(dir);
		r = o->dirfd < 0 ? o->dirfd : make_parts(o, mode == OBJECTS_ADD);
	}
	if (r == 0)
		r = take_lock(o, mode);
	if (r < 0)
		objects_close(o);
	return r;
}

void objects_close(struct objects *o)
{
	if (o->objects >= 0)
		close(o->objects);
	if (o->dirfd >= 0)
		close(o->dirfd);
	file_close(&o->lock);
	free(o->name);
	*o = OBJECTS_CLOSED;
}

/* ---- reading ----------------------------------------------------------------------- */

/* The messages of core/file know only the name below DIRFD. */
static int open_in(const struct objects *o, int dirfd, const char *name, struct file *f)
{
	int r = file_open_at(f, dirfd, name);
	return r < 0 ? error_context(r, "%s", o->name) : 0;
}

int objects_find(const struct objects *o, const uint8_t *digest, struct file *f)
{
	char path[PATH_SIZE];
	return open_in(o, o->objects, object_path(digest, path), f);
}

static int digest_of(const struct file *f, unsigned jobs, uint8_t *digest)
{
	struct merkle_data data = {.file = f, .size = f->size};
	return fsverity_digest_file(&FSVERITY_DEFAULTS, &data, jobs, digest);
}

static int compare(const struct objects *o, const uint8_t *digest, const uint8_t *found)
{
	char path[PATH_SIZE], text[OBJECTS_DIGEST_TEXT];
	if (!memcmp(digest, found, OBJECTS_DIGEST))
		return 0;
	return error_set(STATUS_CONTENT, EBADMSG,
		"%s: objects/%s: the contents have the digest %s", o->name,
		object_path(digest, path), hex_encode(found, OBJECTS_DIGEST, text));
}

int objects_verify(const struct objects *o, const uint8_t *digest, unsigned jobs)
{
	AUTO_FILE f = FILE_CLOSED;
	uint8_t found[OBJECTS_DIGEST];
	int r = objects_find(o, digest, &f);
	if (r == 0)
		r = digest_of(&f, jobs, found);
	if (r < 0)
		return r;
	return compare(o, digest, found) < 0 ? 1 : 0;
}

int objects_copy(const struct objects *o, const uint8_t *digest, const struct file *out)
{
	AUTO_FILE f = FILE_CLOSED;
	uint8_t found[OBJECTS_DIGEST];
	int r = objects_find(o, digest, &f);
	if (r == 0)
		r = file_clone(&f, out);
	if (r < 0)
		return r;
	struct file filled = *out; /* whose size is that of the time it was opened */
	filled.size = f.size;
	r = digest_of(&filled, 0, found);
	return r < 0 ? r : compare(o, digest, found);
}

int objects_read(
	const struct objects *o, const uint8_t *digest, size_t limit, struct buffer *b)
{
	AUTO_FILE f = FILE_CLOSED;
	uint8_t found[OBJECTS_DIGEST];
	size_t before = b->size;
	int r = objects_find(o, digest, &f);
	if (r == 0)
		r = file_slurp_fd(f.fd, f.name, limit, b);
	if (r == 0)
		r = fsverity_digest_span(&FSVERITY_DEFAULTS,
			span_of(b->data + before, b->size - before), found);
	return r < 0 ? r : compare(o, digest, found);
}

/* ---- listing ----------------------------------------------------------------------- */

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int list_below(const struct objects *o, const char *prefix,
	int (*found)(void *context, const uint8_t *digest), void *context)
{
	struct dirent **names;
	int n = scandirat(o->objects, prefix, &names, not_hidden, alphasort), r = 0;
	if (n < 0)
		return error_errno("%s: cannot list objects/%s", o->name, prefix);
	for (int i = 0; i < n; i++) {
		uint8_t digest[OBJECTS_DIGEST];
		char path[PATH_SIZE + 256];
		snprintf(path, sizeof path, "%s/%s", prefix, names[i]->d_name);
		if (r == 0 && objects_parse(path, digest))
			r = error_format(
				"%s: objects/%s: not the name of a blob", o->name, path);
		if (r == 0)
			r = found(context, digest);
		free(names[i]);
	}
	free(names);
	return r;
}

int objects_list(const struct objects *o,
	int (*found)(void *context, const uint8_t *digest), void *context)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char prefix[3];
		uint8_t value = (uint8_t)byte;
		hex_encode(&value, 1, prefix);
		if (faccessat(o->objects, prefix, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		int r = list_below(o, prefix, found, context);
		if (r != 0)
			return r;
	}
	return 0;
}

int objects_remove(const struct objects *o, const uint8_t *digest)
{
	char path[PATH_SIZE];
	if (unlinkat(o->objects, object_path(digest, path), 0) < 0)
		return error_errno("%s: cannot remove objects/%s", o->name, path);
	return 0;
}

/* ---- refs -------------------------------------------------------------------------- */

/* A name may have '/' in it, which no file has, and has no '%', which a file can have. */
static void swap_slashes(char *name, char from, char to)
{
	for (; *name; name++)
		if (*name == from)
			*name = to;
}

static int ref_path(const struct objects *o, const char *name, char path[300])
{
	if (!blobfs_ref_name_valid(name, strlen(name)))
		return error_usage("%s: '%s' cannot be the name of a ref", o->name, name);
	snprintf(path, 300, "refs/%s", name);
	swap_slashes(path + strlen("refs/"), '/', '%');
	return 0;
}

/* Names that came or went are so for good, also if the machine stops. */
static int flush_refs(const struct objects *o)
{
	int fd =
		openat(o->dirfd, "refs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? error_errno("%s: cannot flush refs", o->name)
					: 0;
	if (fd >= 0)
		close(fd);
	return r;
}

static int write_ref(const struct objects *o, const char *path, const uint8_t *digest)
{
	char line[OBJECTS_DIGEST_TEXT + 1];
	AUTO_FILE f = FILE_CLOSED;
	int fd = openat(
		o->dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? error_errno("%s: cannot write %s", o->name, path)
		       : file_from_fd(&f, fd, o->name);
	if (r < 0)
		return r;
	hex_encode(digest, OBJECTS_DIGEST, line);
	line[OBJECTS_DIGEST_TEXT - 1] = '\n';
	r = file_write(&f, line, OBJECTS_DIGEST_TEXT, 0);
	if (r == 0 && fsync(f.fd) < 0)
		r = error_errno("%s: cannot flush %s", o->name, path);
	return r;
}

int objects_ref_set(
	const struct objects *o, const char *name, const uint8_t digest[OBJECTS_DIGEST])
{
	/* In staging, where the next collection finds what a killed process left. */
	char path[300], random[PATH_RANDOM_SIZE], temporary[16 + PATH_RANDOM_SIZE];
	int r = ref_path(o, name, path);
	if (r == 0)
		r = path_random(random);
	if (r < 0)
		return r;
	snprintf(temporary, sizeof temporary, "staging/%s", random);
	r = write_ref(o, temporary, digest);
	if (r == 0 && renameat(o->dirfd, temporary, o->dirfd, path) < 0)
		r = error_errno("%s: cannot write %s", o->name, path);
	if (r < 0)
		unlinkat(o->dirfd, temporary, 0);
	return r < 0 ? r : flush_refs(o);
}

int objects_ref_get(
	const struct objects *o, const char *name, uint8_t digest[OBJECTS_DIGEST])
{
	char path[300];
	AUTO_FILE f = FILE_CLOSED;
	BUFFER text = {0};
	int r = ref_path(o, name, path);
	if (r == 0)
		r = open_in(o, o->dirfd, path, &f);
	if (r == 0)
		r = file_slurp_fd(f.fd, path, OBJECTS_DIGEST_TEXT, &text);
	if (r < 0)
		return r;
	if (text.size == OBJECTS_DIGEST_TEXT && text.data[text.size - 1] == '\n')
		text.data[--text.size] = 0;
	if (text.size != OBJECTS_DIGEST_TEXT - 1 ||
		hex_decode(buffer_text(&text), digest, OBJECTS_DIGEST))
		return error_format("%s: %s: not a digest", o->name, path);
	return 0;
}

int objects_ref_delete(const struct objects *o, const char *name)
{
	char path[300];
	int r = ref_path(o, name, path);
	if (r == 0 && unlinkat(o->dirfd, path, 0) < 0)
		r = error_errno("%s: cannot delete %s", o->name, path);
	return r < 0 ? r : flush_refs(o);
}

int objects_refs(const struct objects *o,
	int (*found)(void *context, const char *name, const uint8_t *digest),
	void *context)
{
	struct dirent **names;
	int n = scandirat(o->dirfd, "refs", &names, not_hidden, alphasort), r = 0;
	if (n < 0)
		return error_errno("%s: cannot list refs", o->name);
	for (int i = 0; i < n; i++) {
		uint8_t digest[OBJECTS_DIGEST];
		char *name = names[i]->d_name;
		swap_slashes(name, '%', '/');
		if (r == 0 && !blobfs_ref_name_valid(name, strlen(name)))
			r = error_format(
				"%s: refs has '%s', which cannot be the name of a ref",
				o->name, name);
		if (r == 0)
			r = objects_ref_get(o, name, digest);
		if (r == 0)
			r = found(context, name, digest);
		free(names[i]);
	}
	free(names);
	return r;
}
