/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "blobfs/names.h"
#include "builder/store_tree.h"
#include "core/interrupt.h"
#include "core/path.h"

/* A crafted tree may have directories that contain each other: no way goes deeper. */
#define DEPTH_MAX 1000

/* Where a file with several names was restored first; below the new directory. */
struct first_name {
	uint64_t nid;
	char *path;
};

struct checkout {
	const struct objects *store;
	struct store_tree tree;
	enum store_checkout how;
	int root;           /* the new directory */
	int dirfd;          /* of the one being filled */
	unsigned depth;     /* of it */
	uint64_t n_left;    /* names that may still come */
	struct buffer path; /* of what is being restored, below root */
	void *firsts;       /* struct first_name, for tsearch(3) */
};

static int failed(const struct checkout *c, const char *what)
{
	return error_errno("%s: cannot %s", buffer_text(&c->path), what);
}

/* ---- attributes -------------------------------------------------------------------- */

static bool starts(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* Where the attributes of one inode go. */
struct attributes {
	const struct checkout *checkout;
	int fd;
	struct names_marks marks;
};

static int set(void *context, const char *name, struct span value)
{
	const struct attributes *a = context;
	char unescaped[NAMES_XATTR_SIZE], self[32];
	const char *original = names_original(&a->marks, name, unescaped);
	bool privileged = original &&
			  (starts(original, "trusted.") || starts(original, "security."));
	if (!original || (privileged && a->checkout->how == STORE_CHECKOUT_UNPRIVILEGED))
		return 0;
	/* By way of /proc, as the descriptor may be one of O_PATH. */
	snprintf(self, sizeof self, "/proc/self/fd/%d", a->fd);
	if (setxattr(self, original, value.data, value.size, 0) < 0)
		return error_errno("%s: cannot set the attribute %s",
			buffer_text(&a->checkout->path), original);
	return 0;
}

/* Owner, attributes, mode and times, in the order in which none undoes another. */
static int set_all(const struct checkout *c, const struct erofs_inode *inode, int parent,
	const char *name)
{
	struct attributes a = {.checkout = c};
	int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? failed(c, "open what was just made") : 0;
	bool link = S_ISLNK(inode->mode);
	if (r == 0 && c->how == STORE_CHECKOUT_ALL &&
		fchownat(fd, "", inode->uid, inode->gid, AT_EMPTY_PATH) < 0)
		r = failed(c, "set the owner");
	if (r == 0 && !link)
		r = names_look(&c->tree.erofs, inode, &a.marks);
	a.fd = fd;
	if (r == 0 && !link)
		r = erofs_xattrs(&c->tree.erofs, inode, set, &a);
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	if (r == 0 && !link && chmod(self, inode->mode & 07777) < 0)
		r = failed(c, "set the mode");
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)inode->mtime, .tv_nsec = (long)inode->mtime_ns}};
	if (r == 0 && utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		r = failed(c, "set the time");
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- contents ---------------------------------------------------------------------- */

static int fill_inline(
	const struct checkout *c, const struct erofs_inode *inode, const struct file *f)
{
	if (inode->size > EROFS_BLOCK)
		return error_format("%s: %ju bytes without a blob", buffer_text(&c->path),
			(uintmax_t)inode->size);
	uint8_t data[EROFS_BLOCK];
	int r = erofs_read(&c->tree.erofs, inode, data, (size_t)inode->size, 0);
	return r < 0 ? r : file_write(f, data, (size_t)inode->size, 0);
}

static int fill_blob(const struct checkout *c, const struct erofs_inode *inode,
	const uint8_t *digest, const struct file *f)
{
	struct stat st;
	int r = objects_copy(c->store, digest, f);
	if (r == -ENOENT)
		return error_set(STATUS_CONTENT, EIO, "%s: the store lacks its blob: %s",
			buffer_text(&c->path), error_text());
	if (r == 0 && fstat(f->fd, &st) < 0)
		r = failed(c, "stat");
	if (r == 0 && (uint64_t)st.st_size != inode->size)
		r = error_set(STATUS_CONTENT, EBADMSG,
			"%s: its blob has %ju bytes, not %ju", buffer_text(&c->path),
			(uintmax_t)st.st_size, (uintmax_t)inode->size);
	return r;
}

static int make_file(
	struct checkout *c, const struct erofs_inode *inode, const char *name)
{
	AUTO_FILE f = FILE_CLOSED;
	uint8_t digest[OBJECTS_DIGEST];
	int fd = openat(
		c->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? failed(c, "create")
		       : file_from_fd(&f, fd, buffer_text(&c->path));
	if (r < 0)
		return r;
	r = names_blob(&c->tree.erofs, inode, digest);
	if (r < 0)
		return r;
	return r == 0 ? fill_blob(c, inode, digest, &f) : fill_inline(c, inode, &f);
}

static int make_link(
	struct checkout *c, const struct erofs_inode *inode, const char *name)
{
	BUFFER target = {0};
	int r = erofs_target(&c->tree.erofs, inode, &target);
	if (r == 0 && symlinkat(buffer_text(&target), c->dirfd, name) < 0)
		r = failed(c, "create the symbolic link");
	return r;
}

static int make_node(struct checkout *c, const struct erofs_inode *inode,
	const char *name, bool whiteout)
{
	mode_t mode = whiteout ? S_IFCHR | 0600 : (inode->mode & S_IFMT) | 0600;
	dev_t device = whiteout ? 0 : makedev(inode->major, inode->minor);
	if (mknodat(c->dirfd, name, mode, device) < 0)
		return failed(c, "create the node");
	return 0;
}

/* ---- hard links -------------------------------------------------------------------- */

static int by_nid(const void *a, const void *b)
{
	const struct first_name *x = a, *y = b;
	return x->nid < y->nid ? -1 : x->nid > y->nid;
}

static const char *first_path(const struct checkout *c, uint64_t nid)
{
	struct first_name key = {.nid = nid};
	void *found = tfind(&key, &c->firsts, by_nid);
	return found ? (*(struct first_name **)found)->path : NULL;
}

static int note_first(struct checkout *c, uint64_t nid)
{
	struct first_name *first = malloc(sizeof *first);
	if (first)
		*first = (struct first_name){nid, strdup(buffer_text(&c->path))};
	if (!first || !first->path || !tsearch(first, &c->firsts, by_nid))
		return error_memory();
	return 0;
}

static void free_first(void *node)
{
	struct first_name *first = node;
	free(first->path);
	free(first);
}

/* Through no symbolic link and not out of the new directory. */
static int link_to(const struct checkout *c, const char *path, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, c->root, path, &how, sizeof how);
	if (fd < 0)
		return failed(c, "open its first name");
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	int r = linkat(AT_FDCWD, self, c->dirfd, name, AT_SYMLINK_FOLLOW) < 0
			? failed(c, "link to its first name")
			: 0;
	close(fd);
	return r;
}

/* ---- the walk ---------------------------------------------------------------------- */

static int restore(void *context, struct span name, uint64_t nid);

static int restore_directory(
	struct checkout *c, const struct erofs_inode *inode, const char *name)
{
	int above = c->dirfd;
	if (c->depth >= DEPTH_MAX)
		return error_format("%s: the tree is more than %d directories deep",
			c->store->name, DEPTH_MAX);
	int fd = path_make_dir(above, name, 0700);
	if (fd < 0)
		return fd;
	c->dirfd = fd;
	c->depth++;
	int r = erofs_list(&c->tree.erofs, inode, restore, c);
	c->depth--;
	c->dirfd = above;
	close(fd);
	return r;
}

static int restore_inode(
	struct checkout *c, const struct erofs_inode *inode, const char *name)
{
	struct names_marks marks;
	const char *first = inode->n_links > 1 && !S_ISDIR(inode->mode)
				    ? first_path(c, inode->nid)
				    : NULL;
	if (first)
		return link_to(c, first, name);
	int r = names_look(&c->tree.erofs, inode, &marks);
	bool is_node =
		marks.is_whiteout ||
		!(S_ISDIR(inode->mode) || S_ISREG(inode->mode) || S_ISLNK(inode->mode));
	if (r < 0)
		return r;
	if (is_node && !S_ISFIFO(inode->mode) && c->how == STORE_CHECKOUT_UNPRIVILEGED)
		return 0;
	if (is_node)
		r = make_node(c, inode, name, marks.is_whiteout);
	else if (S_ISDIR(inode->mode))
		r = restore_directory(c, inode, name);
	else if (S_ISREG(inode->mode))
		r = make_file(c, inode, name);
	else
		r = make_link(c, inode, name);
	if (r == 0 && inode->n_links > 1 && !S_ISDIR(inode->mode))
		r = note_first(c, inode->nid);
	return r < 0 ? r : set_all(c, inode, c->dirfd, name);
}

static int restore(void *context, struct span name, uint64_t nid)
{
	struct checkout *c = context;
	struct erofs_inode inode;
	char text[256];
	size_t before = c->path.size;
	snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
	if (c->n_left-- == 0)
		return error_format(
			"%s: more names than the tree has room for", c->store->name);
	int r = interrupt_check();
	if (r == 0)
		r = erofs_inode(&c->tree.erofs, nid, &inode);
	if (r == 0)
		r = buffer_printf(&c->path, "%s%s", before ? "/" : "", text);
	if (r == 0 && !(c->depth == 0 && names_hides_blobs(&inode)))
		r = restore_inode(c, &inode, text);
	c->path.size = before;
	return r;
}

/* Removes what is below FD and closes it, so that each level takes one descriptor; what
 * cannot be removed stays, the error is the caller's. */
static void remove_below(int fd)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	for (struct dirent *d; (d = readdir(dir));) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (unlinkat(fd, d->d_name, 0) == 0)
			continue;
		int below = openat(
			fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			continue;
		remove_below(below);
		unlinkat(fd, d->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/* Fills the new directory TEMPORARY of PARENT, and gives it its name at the end. */
static int fill(struct checkout *c, int parent, const char *temporary, const char *base)
{
	struct erofs_inode root;
	int r = erofs_inode(&c->tree.erofs, c->tree.erofs.root, &root);
	if (r == 0)
		r = erofs_list(&c->tree.erofs, &root, restore, c);
	if (r == 0)
		r = set_all(c, &root, parent, temporary);
	if (r == 0 && path_rename_new(parent, temporary, parent, base) < 0)
		r = error_errno("%s: cannot put in place", base);
	return r;
}

static int fill_new(struct checkout *c, const char *dir)
{
	const char *base;
	char temporary[PATH_RANDOM_SIZE];
	int parent = path_open_parent(dir, &base);
	if (parent < 0)
		return parent;
	int r = path_random(temporary);
	if (r == 0 && faccessat(parent, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = error_set(STATUS_FAILED, EEXIST, "%s: exists", dir);
	if (r == 0) {
		c->root = path_make_dir(parent, temporary, 0700);
		r = c->root < 0 ? c->root : 0;
	}
	if (r == 0) {
		c->dirfd = c->root;
		r = fill(c, parent, temporary, base);
		if (r < 0) {
			remove_below(c->root);
			unlinkat(parent, temporary, AT_REMOVEDIR);
		} else {
			close(c->root);
		}
	}
	close(parent);
	return r;
}

int store_checkout(const struct objects *o, const uint8_t *digest, const char *dir,
	enum store_checkout how)
{
	struct checkout c = {.store = o, .tree = STORE_TREE_CLOSED, .how = how};
	int r = store_tree_open(&c.tree, o, digest);
	if (r == 1)
		r = error_format("%s: this blob is no tree", c.store->name);
	/* Each name takes at least an entry of a directory. */
	c.n_left = r == 0 ? c.tree.erofs.size / EROFS_DIRENT_SIZE : 0;
	if (r == 0)
		r = fill_new(&c, dir);
	tdestroy(c.firsts, free_first);
	buffer_free(&c.path);
	store_tree_close(&c.tree);
	return r;
}
