/* SPDX-License-Identifier: MIT */
#include "initrd/compose/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/interrupt.h"
#include "initrd/compose/inside.h"

#define XATTRS_MAX 65536 /* names, and one value: the kernel's limit for both */

int entry_open(struct entry *e, int dirfd, const char *name, const char *path)
{
	*e = ENTRY_NONE;
	e->fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (e->fd < 0 && errno == ENOENT)
		return 1;
	if (e->fd < 0 || fstat(e->fd, &e->st) < 0)
		return error_errno("%s: cannot look at it", path);
	return 0;
}

void entry_close(struct entry *e)
{
	if (e->fd >= 0)
		close(e->fd);
	buffer_free(&e->xattrs);
	*e = ENTRY_NONE;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Links have attributes too, and no descriptor to read them by: through /proc. */
static void self_path(const struct entry *e, char path[40])
{
	snprintf(path, 40, "/proc/self/fd/%d", e->fd);
}

static int add_value(
	struct entry *e, const char *self, const char *name, const char *path)
{
	static char value[XATTRS_MAX];
	ssize_t n = getxattr(self, name, value, sizeof value);
	if (n < 0)
		return error_errno("%s: cannot read the attribute %s", path, name);
	int r = buffer_append(&e->xattrs, name, strlen(name) + 1);
	if (r == 0)
		r = buffer_printf(&e->xattrs, "%zd ", n);
	return r < 0 ? r : buffer_append(&e->xattrs, value, (size_t)n);
}

int entry_read_xattrs(struct entry *e, const char *path)
{
	static char list[XATTRS_MAX];
	const char *names[XATTRS_MAX / 8];
	size_t n_names = 0;
	char self[40];
	self_path(e, self);
	e->xattrs.size = 0;
	ssize_t n = listxattr(self, list, sizeof list);
	if (n < 0 && errno != EOPNOTSUPP)
		return error_errno("%s: cannot list the attributes", path);
	for (char *name = list; n > 0 && name < list + n; name += strlen(name) + 1) {
		if (n_names == sizeof names / sizeof names[0])
			return error_format("%s: too many attributes", path);
		names[n_names++] = name;
	}
	qsort(names, n_names, sizeof names[0], by_name);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n_names; i++)
		r = add_value(e, self, names[i], path);
	return r;
}

bool entry_has_xattr(const struct entry *e, const char *prefix)
{
	const char *at = (const char *)e->xattrs.data;
	const char *end = at ? at + e->xattrs.size : at;
	while (at < end) {
		if (!strncmp(at, prefix, strlen(prefix)))
			return true;
		char *space;
		unsigned long size = strtoul(at + strlen(at) + 1, &space, 10);
		at = space + 1 + size;
	}
	return false;
}

static int compare_links(const struct entry *a, const struct entry *b, const char *path)
{
	char s[PATH_MAX], t[PATH_MAX];
	ssize_t n = readlinkat(a->fd, "", s, sizeof s);
	ssize_t m = readlinkat(b->fd, "", t, sizeof t);
	if (n < 0 || m < 0)
		return error_errno("%s: cannot read the link", path);
	return n != m || memcmp(s, t, (size_t)n) != 0;
}

/* Reads as much as there is, up to SIZE. */
static ssize_t read_full(int fd, char *data, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int compare_bytes(int a, int b, const char *path)
{
	static char x[65536], y[65536];
	for (;;) {
		ssize_t n = read_full(a, x, sizeof x), m = read_full(b, y, sizeof y);
		if (n < 0 || m < 0)
			return error_errno("%s: cannot read", path);
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			return 1;
		if (n == 0)
			return 0;
		int r = interrupt_check();
		if (r < 0)
			return r;
	}
}

static int compare_files(const struct entry *a, const struct entry *b, const char *path)
{
	if (a->st.st_size != b->st.st_size)
		return 1;
	int x = inside_reopen(a->fd, O_RDONLY), y = inside_reopen(b->fd, O_RDONLY);
	int r = x < 0 || y < 0
			? error_set(STATUS_FAILED, -(x < 0 ? x : y),
				  "%s: cannot open: %s", path, strerror(-(x < 0 ? x : y)))
			: compare_bytes(x, y, path);
	if (x >= 0)
		close(x);
	if (y >= 0)
		close(y);
	return r;
}

int entry_compare(const struct entry *a, const struct entry *b, const char *path)
{
	if (a->st.st_mode != b->st.st_mode || a->st.st_uid != b->st.st_uid ||
		a->st.st_gid != b->st.st_gid || a->st.st_rdev != b->st.st_rdev ||
		a->xattrs.size != b->xattrs.size ||
		(a->xattrs.size &&
			memcmp(a->xattrs.data, b->xattrs.data, a->xattrs.size) != 0))
		return 1;
	if (S_ISLNK(a->st.st_mode))
		return compare_links(a, b, path);
	return S_ISREG(a->st.st_mode) ? compare_files(a, b, path) : 0;
}
