/* SPDX-License-Identifier: MIT */
#include "initrd/compose/attached.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initrd/compose/ddi.h"
#include "initrd/compose/inside.h"

#define BLOCK_DEVICES "/sys/block"
#define RELEASE       "extension-release."

/* virtio's serial numbers have 20 bytes at most; one that lacks the file has none. */
static bool is_ours(const char *disk)
{
	char path[300], serial[32];
	snprintf(path, sizeof path, BLOCK_DEVICES "/%s/serial", disk);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, serial, sizeof serial);
	if (fd >= 0)
		close(fd);
	return n > (ssize_t)strlen(ATTACHED_SERIAL) &&
	       !memcmp(serial, ATTACHED_SERIAL, strlen(ATTACHED_SERIAL));
}

/* The name that the only file of DIR, a directory of releases, says. Consumes DIR. */
static int read_name(DIR *dir, const char *disk, char name[EXTENSION_NAME_MAX])
{
	unsigned n = 0;
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)); errno = 0) {
		const char *of = e->d_name + strlen(RELEASE);
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (n++ || strncmp(e->d_name, RELEASE, strlen(RELEASE)) != 0 ||
			!search_is_name(of)) {
			n = 2;
			break;
		}
		strcpy(name, of);
	}
	int r = errno ? error_errno("%s: cannot list its extension-release.d", disk) : 0;
	closedir(dir);
	if (r == 0 && n != 1)
		r = error_format("%s: its extension-release.d does not have one file of "
				 "one extension",
			disk);
	return r;
}

/* Whether the files of D make it an extension of CLASS (1, with its name) or not (0). */
static int is_of(const struct ddi *d, enum extension_class class, char *name)
{
	static const char *const paths[N_CLASSES] = {
		"usr/lib/extension-release.d", "etc/extension-release.d"};
	int fd = inside_open(d->mount, paths[class], O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return error_set(STATUS_FAILED, fd < 0 ? -fd : errno,
			"%s: cannot list its %s", d->file.name, paths[class]);
	int r = read_name(dir, d->file.name, name);
	return r < 0 ? r : 1;
}

/*
 * Opens the disk's image, vouched for as CLASS or, so that it can be told what it is, as
 * the other class. D is to be closed in any case.
 */
static int open_vouched(const struct anchors *a, enum extension_class class,
	const char *path, struct ddi *d)
{
	struct error_record why;
	int r, first = 0;
	*d = DDI_CLOSED;
	for (int i = 0; i < N_CLASSES; i++) {
		struct found f = {.path = (char *)path};
		ddi_close(d);
		f.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (f.fd < 0)
			return error_errno("%s: cannot open", path);
		r = ddi_open(d, &f, i ? (enum extension_class) !class : class);
		if (r == 0 && (r = ddi_vouch(d, a)) == 0)
			return 0;
		if (i == 0) {
			first = r;
			error_take(&why);
		}
	}
	/* What the class that was asked for says. */
	error_put(&why);
	return first;
}

int attached_visit(int (*visit)(void *context, const char *disk), void *context)
{
	DIR *dir = opendir(BLOCK_DEVICES);
	int r = 0;
	/* Without sysfs a disk that is composed would be taken for one that is gone. */
	if (!dir)
		return error_errno(BLOCK_DEVICES ": cannot list");
	errno = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir)); errno = 0)
		if (e->d_name[0] != '.' && is_ours(e->d_name))
			r = visit(context, e->d_name);
	if (r == 0 && errno)
		r = error_errno(BLOCK_DEVICES ": cannot list");
	closedir(dir);
	return r;
}

/* One look for disks. */
struct look {
	const struct anchors *anchors;
	enum extension_class class;
	struct search *found;
	size_t n_before;
};

/* Looks at one disk, and adds it if it is of the class. */
static int add_disk(void *context, const char *disk)
{
	const struct look *l = context;
	char path[300], name[EXTENSION_NAME_MAX];
	struct ddi d;
	snprintf(path, sizeof path, "/dev/%s", disk);
	int r = open_vouched(l->anchors, l->class, path, &d);
	if (r == 0)
		r = ddi_mount(&d);
	int mine = r < 0 ? r : is_of(&d, l->class, name);
	if (mine == 0)
		r = is_of(&d, (enum extension_class) !l->class, name);
	if (mine == 0 && r == 0)
		r = error_format(
			"%s: is no extension: it has no extension-release.d", path);
	if (mine > 0) {
		int fd = fcntl(d.file.fd, F_DUPFD_CLOEXEC, 3);
		r = fd < 0 ? error_errno("%s: cannot duplicate", path)
			   : search_add(l->found, l->n_before, name, path, fd);
	}
	ddi_close(&d);
	return mine < 0 ? mine : r < 0 ? r : 0;
}

int attached_search(
	const struct anchors *anchors, enum extension_class class, struct search *s)
{
	struct look l = {anchors, class, s, s->n};
	int r = attached_visit(add_disk, &l);
	if (r == 0)
		search_sort(s);
	return r;
}
