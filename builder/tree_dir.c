/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "builder/tree_build.h"
#include "core/path.h"

/*
 * The tree of a directory. Every object is opened by its name in a directory that is
 * open, never by a path, without following links, and looked at through that descriptor:
 * what is described is what was opened.
 */

static int failed(const struct tree *tree, const char *path, const char *what)
{
	char quoted[TREE_QUOTE_SIZE];
	return error_errno("%s/%s: %s", tree->name, tree_quote(path, quoted), what);
}

static int changed(const struct tree *tree, const char *path)
{
	char quoted[TREE_QUOTE_SIZE];
	return error_set(STATUS_FAILED, ESTALE, "%s/%s: changed while it was being read",
		tree->name, tree_quote(path, quoted));
}

static bool is_same(const struct tree_entry *e, const struct stat *st)
{
	return e->origin.device == st->st_dev && e->origin.inode == st->st_ino &&
	       e->origin.ctime.tv_sec == st->st_ctim.tv_sec &&
	       e->origin.ctime.tv_nsec == st->st_ctim.tv_nsec &&
	       ((e->mode ^ st->st_mode) & S_IFMT) == 0;
}

/* An O_PATH descriptor of PATH below the tree, walked to component by component. */
static int walk(const struct tree *tree, const char *path)
{
	int at = openat(tree->dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[TREE_NAME_MAX + 1];
	while (at >= 0 && *path) {
		size_t length = strcspn(path, "/");
		if (length > TREE_NAME_MAX) {
			close(at);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, length);
		name[length] = 0;
		path += length + (path[length] == '/');
		int next = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		int err = errno;
		close(at);
		errno = err;
		at = next;
	}
	return at;
}

/* The same, opened for reading, if it still is what E says. */
static int reopen(const struct tree *tree, const struct tree_entry *e, int flags)
{
	struct stat st;
	char self[32];
	int fd = -1, handle = walk(tree, e->path);
	if (handle < 0)
		return failed(tree, e->path, "cannot open");
	snprintf(self, sizeof self, "/proc/self/fd/%d", handle);
	if (fstat(handle, &st) < 0)
		fd = failed(tree, e->path, "cannot stat");
	else if (!is_same(e, &st))
		fd = changed(tree, e->path);
	else if ((fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags)) < 0)
		fd = failed(tree, e->path, "cannot open");
	close(handle);
	return fd;
}

int tree_open_file(const struct tree *tree, const struct tree_entry *e, struct file *f)
{
	int fd = reopen(tree, e, O_NONBLOCK);
	if (fd < 0)
		return fd;
	char *name;
	if (asprintf(&name, "%s/%s", tree->name, e->path) < 0) {
		close(fd);
		return error_memory();
	}
	int r = file_from_fd(f, fd, name);
	free(name);
	return r;
}

int tree_check_unchanged(const struct tree *tree, const struct tree_entry *e, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return failed(tree, e->path, "cannot stat");
	return is_same(e, &st) ? 0 : changed(tree, e->path);
}

static int read_xattr(const struct tree *tree, struct tree_entry *e, const char *self,
	const char *name, uint8_t *value)
{
	ssize_t size = getxattr(self, name, value, TREE_XATTR_MAX);
	if (size < 0 && errno == ENODATA)
		return changed(tree, e->path);
	if (size < 0)
		return failed(tree, e->path, name);
	return tree_add_xattr(e, name, value, (size_t)size);
}

/* SELF, a magic link, leads to the object itself, also where that is a symbolic link. */
static int read_xattrs(const struct tree *tree, struct tree_entry *e, const char *self)
{
	char *names = malloc(TREE_XATTR_MAX);
	uint8_t *value = malloc(TREE_XATTR_MAX);
	int r = names && value ? 0 : error_memory();
	ssize_t size = r < 0 ? 0 : listxattr(self, names, TREE_XATTR_MAX);
	if (size < 0 && errno != ENOTSUP)
		r = failed(tree, e->path, "cannot list the extended attributes");
	for (ssize_t at = 0; r == 0 && at < size; at += (ssize_t)strlen(names + at) + 1)
		r = read_xattr(tree, e, self, names + at, value);
	free(names);
	free(value);
	return r;
}

static int read_target(const struct tree *tree, struct tree_entry *e, int handle)
{
	char target[TREE_TARGET_MAX + 2];
	ssize_t size = readlinkat(handle, "", target, sizeof target);
	if (size < 0)
		return failed(tree, e->path, "cannot read the link");
	if (size == 0 || size > TREE_TARGET_MAX)
		return error_format(
			"%s/%s: its target is %zd bytes long", tree->name, e->path, size);
	e->size = (uint64_t)size;
	e->target = strndup(target, (size_t)size);
	return e->target ? 0 : error_memory();
}

/* The parts between holes; a file system that knows none gives one part. */
static int read_extents(const struct tree *tree, struct tree_entry *e, const char *self,
	uint64_t allocated)
{
	if (allocated >= e->size)
		return e->size ? tree_add_extent(e, 0, e->size, 0) : 0;
	int fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return failed(tree, e->path, "cannot open");
	int r = 0;
	for (off_t at = 0; r == 0 && (uint64_t)at < e->size;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (end < 0)
			r = failed(tree, e->path, "cannot find its holes");
		else if (end <= data || (uint64_t)end > e->size)
			r = changed(tree, e->path);
		else
			r = tree_add_extent(e, (uint64_t)data, (uint64_t)(end - data), 0);
		at = end;
	}
	close(fd);
	return r;
}

static void describe(struct tree_entry *e, const struct stat *st)
{
	e->mode = S_ISLNK(st->st_mode) ? S_IFLNK | 0777 : st->st_mode;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime = st->st_mtim.tv_sec;
	e->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	if (S_ISREG(st->st_mode))
		e->size = (uint64_t)st->st_size;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		e->major = major(st->st_rdev);
		e->minor = minor(st->st_rdev);
	}
	e->origin.device = st->st_dev;
	e->origin.inode = st->st_ino;
	e->origin.ctime = st->st_ctim;
}

static int read_entry(const struct tree *tree, struct tree_entry *e, int handle)
{
	struct stat st;
	char self[32], quoted[TREE_QUOTE_SIZE];
	snprintf(self, sizeof self, "/proc/self/fd/%d", handle);
	if (fstat(handle, &st) < 0)
		return failed(tree, e->path, "cannot stat");
	if (S_ISSOCK(st.st_mode))
		return error_format("%s/%s: is a socket, which no image can hold",
			tree->name, tree_quote(e->path, quoted));
	describe(e, &st);
	int r = read_xattrs(tree, e, self);
	if (r == 0 && S_ISLNK(st.st_mode))
		r = read_target(tree, e, handle);
	if (r == 0 && S_ISREG(st.st_mode))
		r = read_extents(tree, e, self, (uint64_t)st.st_blocks * 512);
	return r;
}

static int add_name(struct tree_builder *b, const struct tree *tree, const char *parent,
	int dirfd, const char *name)
{
	char *path;
	if (asprintf(&path, "%s%s%s", parent, *parent ? "/" : "", name) < 0)
		return error_memory();
	struct tree_item *item;
	int r = tree_builder_add(b, path, &item);
	if (r < 0)
		return r;
	int handle = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (handle < 0)
		return failed(tree, path, "cannot open");
	r = read_entry(tree, &item->entry, handle);
	close(handle);
	return r;
}

/* Adds all names in the directory that is item INDEX. */
static int list(struct tree_builder *b, const struct tree *tree, size_t index)
{
	/* The items move when names are added; the path's text does not. */
	const char *parent = b->items[index].entry.path;
	int fd = reopen(tree, &b->items[index].entry, O_DIRECTORY);
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return failed(tree, parent, "cannot list");
	}
	int r = 0;
	while (r == 0) {
		errno = 0;
		struct dirent *d = readdir(dir);
		if (!d && errno)
			r = failed(tree, parent, "cannot list");
		if (!d)
			break;
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			r = add_name(b, tree, parent, fd, d->d_name);
	}
	if (r == 0)
		r = tree_check_unchanged(tree, &b->items[index].entry, fd);
	closedir(dir);
	return r;
}

int tree_load_dir(struct tree *tree, int dirfd)
{
	struct tree_builder b = {.name = tree->name};
	struct tree_item *root;
	int r = tree_builder_add(&b, strdup(""), &root);
	if (r == 0)
		r = read_entry(tree, &root->entry, dirfd);
	for (size_t i = 0; r == 0 && i < b.n_items; i++)
		if (S_ISDIR(b.items[i].entry.mode))
			r = list(&b, tree, i);
	if (r == 0)
		r = tree_builder_finish(&b, tree);
	tree_builder_free(&b);
	return r;
}
