/* SPDX-License-Identifier: MIT */
#include "initrd/compose/search.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "initrd/compose/inside.h"
#include "initrd/compose/version.h"
#include "initrd/compose/vpick.h"

#define RAW     ".raw"
#define CHOICES ".v"

/* UAPI.3 and systemd-sysext(8): an earlier directory wins. */
static const char *const directories[N_CLASSES][5] = {
	{"/etc/extensions", "/run/extensions", "/var/lib/extensions", NULL},
	{"/run/confexts", "/var/lib/confexts", "/usr/lib/confexts",
		"/usr/local/lib/confexts", NULL},
};

const char *class_name(enum extension_class class)
{
	return class == CLASS_CONFEXT ? "confext" : "sysext";
}

/* Cuts SUFFIX off NAME; false if NAME does not end with it, or is nothing else. */
static bool cut(char *name, const char *suffix)
{
	size_t size = strlen(name), tail = strlen(suffix);
	if (size <= tail || strcmp(name + size - tail, suffix) != 0)
		return false;
	name[size - tail] = 0;
	return true;
}

static void found_free(struct found *f)
{
	free(f->path);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct found){.fd = -1};
}

void search_free(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		found_free(&s->items[i]);
	s->n = 0;
}

static struct found *find(struct search *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->items[i].name, name))
			return &s->items[i];
	return NULL;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 && minor(st->st_rdev) == 3;
}

/* One place to look at: the first of the names that stands for something. */
struct place {
	int root;
	enum extension_class class;
	const char *directory;
	size_t n_before; /* extensions of earlier directories */
};

/* Puts an open extension, or a hidden name (FD -1), into the list. FD is consumed. */
static int add(struct search *s, const struct place *p, const char *name,
	const char *path, int fd, bool is_directory)
{
	struct found *old = find(s, name);
	int r = 0;
	if (old && (size_t)(old - s->items) >= p->n_before)
		r = error_format("%s: two extensions are called %s", p->directory, name);
	else if (!old && s->n == EXTENSIONS_MAX)
		r = error_format("more than %d extensions", EXTENSIONS_MAX);
	if (r < 0 || old) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	struct found *f = &s->items[s->n];
	*f = (struct found){.path = strdup(path), .fd = fd, .is_directory = is_directory};
	strcpy(f->name, name);
	s->n++;
	return f->path ? 0 : error_memory();
}

/* A link to /dev/null hides also where there is no /dev yet, as in the initramfs. */
static bool is_link_to_null(int root, const char *path)
{
	char target[16];
	int link = inside_open(root, path, O_PATH | O_NOFOLLOW);
	ssize_t n = link < 0 ? -1 : readlinkat(link, "", target, sizeof target);
	if (link >= 0)
		close(link);
	return n == (ssize_t)strlen("/dev/null") &&
	       !memcmp(target, "/dev/null", (size_t)n);
}

/*
 * Opens PATH: for reading if it is a regular file, or a directory where one is wanted.
 * Returns 0 with *FD, which is -1 for a link to /dev/null, or 1 if it is something else.
 */
static int open_kind(int root, const char *path, bool directory, int *fd)
{
	struct stat st;
	int handle = inside_open(root, path, O_PATH), r = 1;
	*fd = -1;
	if (handle == -ENOENT && is_link_to_null(root, path))
		return 0;
	if (handle < 0)
		return error_set(STATUS_FAILED, -handle, "%s: cannot open: %s", path,
			strerror(-handle));
	if (fstat(handle, &st) < 0)
		r = error_errno("%s: cannot stat", path);
	else if (is_null(&st))
		r = 0;
	else if (directory ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)) {
		*fd = inside_reopen(
			handle, directory ? O_RDONLY | O_DIRECTORY : O_RDONLY);
		r = *fd < 0 ? error_set(STATUS_FAILED, -*fd, "%s: cannot open: %s", path,
				      strerror(-*fd))
			    : 0;
	}
	close(handle);
	return r;
}

/*
 * The next entry of DIR, or NULL at its end. A directory that cannot be listed to its end
 * (recorded, *R) must not pass for a shorter one: what it lacks may be what closes a
 * hole.
 */
static struct dirent *next_entry(DIR *dir, const char *path, int *r)
{
	errno = 0;
	struct dirent *e = readdir(dir);
	if (!e && errno)
		*r = error_errno("%s: cannot list", path);
	return e;
}

/* The entry of DIR that is the newest version of NAME; "" if there is none. */
static int pick_newest(
	DIR *dir, const char *path, const char *name, const char *suffix, char entry[256])
{
	struct pick best = {.version = ""}, p;
	int r = 0;
	entry[0] = 0;
	for (struct dirent *e; (e = next_entry(dir, path, &r));)
		if (pick_parse(&p, e->d_name, name, suffix) &&
			(!*entry || pick_compare(&p, &best) > 0)) {
			best = p;
			strcpy(entry, e->d_name);
		}
	return r;
}

/* Lists the directory PATH. NULL if there is none, or (recorded, *R) it is not listable.
 */
static DIR *list(int root, const char *path, int *r)
{
	int fd = inside_open(root, path, O_RDONLY | O_DIRECTORY);
	*r = fd < 0 && fd != -ENOENT && fd != -ENOTDIR
		     ? error_set(STATUS_FAILED, -fd, "%s: cannot list: %s", path,
			       strerror(-fd))
		     : 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (fd >= 0 && !dir) {
		*r = error_errno("%s: cannot list", path);
		close(fd);
	}
	return dir;
}

/* NAME.raw.v/ or NAME.v/; CLASS_SUFFIX may stand before ".raw" inside as well. */
static int add_choice(struct search *s, const struct place *p, const char *name,
	const char *path, bool raw)
{
	char class_raw[32], entry[256], chosen[4096];
	int fd = -1, r;
	snprintf(class_raw, sizeof class_raw, ".%s" RAW, class_name(p->class));
	DIR *dir = list(p->root, path, &r);
	if (!dir)
		return r;
	r = pick_newest(dir, path, name, raw ? class_raw : "", entry);
	if (r == 0 && raw && !*entry) {
		rewinddir(dir);
		r = pick_newest(dir, path, name, RAW, entry);
	}
	closedir(dir);
	if (r < 0)
		return r;
	if (!*entry)
		return error_format("%s: no version of %s for this machine", path, name);
	if (snprintf(chosen, sizeof chosen, "%s/%s", path, entry) >= (int)sizeof chosen)
		return error_format("%s: the path is too long", path);
	r = open_kind(p->root, chosen, !raw, &fd);
	if (r > 0)
		return error_format(
			"%s: is not %s", chosen, raw ? "an image file" : "a directory");
	return r < 0 ? r : add(s, p, name, chosen, fd, !raw);
}

bool search_is_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\')
			return false;
	return *name && *name != '.' && strlen(name) < EXTENSION_NAME_MAX;
}

/* What ENTRY stands for, if it is an extension's name at all. */
static int add_entry(struct search *s, const struct place *p, const char *entry)
{
	char name[256], path[4096], suffix[16], other[16];
	int fd = -1;
	snprintf(name, sizeof name, "%s", entry);
	snprintf(path, sizeof path, "%s/%s", p->directory, entry);
	snprintf(suffix, sizeof suffix, ".%s", class_name(p->class));
	snprintf(
		other, sizeof other, ".%s", class_name((enum extension_class) !p->class));
	if (*name == '.')
		return 0;
	bool choice = cut(name, CHOICES), raw = cut(name, RAW);
	if (raw && cut(name, other))
		return 0;
	if (raw)
		cut(name, suffix);
	int r = 0;
	if (!choice && (r = open_kind(p->root, path, !raw, &fd)) > 0)
		return raw ? error_format("%s: is no image file", path) : 0;
	if (r == 0 && !search_is_name(name)) {
		r = error_format("%s: no name for an extension", path);
		if (!choice && fd >= 0)
			close(fd);
	}
	if (r < 0)
		return r;
	return choice ? add_choice(s, p, name, path, raw)
		      : add(s, p, name, path, fd, !raw);
}

int search_add(
	struct search *s, size_t n_before, const char *name, const char *path, int fd)
{
	const struct place p = {.directory = path, .n_before = n_before};
	size_t n = s->n;
	int r = add(s, &p, name, path, fd, false);
	if (s->n > n)
		s->items[n].is_disk = true;
	return r;
}

static int by_version(const void *a, const void *b)
{
	const struct found *f = a, *g = b;
	int r = version_compare(f->name, g->name);
	return r ? r : strcmp(f->name, g->name);
}

void search_sort(struct search *s)
{
	qsort(s->items, s->n, sizeof s->items[0], by_version);
}

/* Hidden names have done their work. */
static void drop_hidden(struct search *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].fd >= 0)
			s->items[n++] = s->items[i];
		else
			found_free(&s->items[i]);
	}
	s->n = n;
}

int search_extensions(int root, enum extension_class class, struct search *s)
{
	int r = 0;
	s->n = 0;
	for (const char *const *d = directories[class]; r == 0 && *d; d++) {
		struct place p = {root, class, *d, s->n};
		DIR *dir = list(root, *d, &r);
		if (!dir)
			continue;
		for (struct dirent *e; r == 0 && (e = next_entry(dir, *d, &r));)
			r = add_entry(s, &p, e->d_name);
		closedir(dir);
	}
	if (r < 0)
		return r;
	drop_hidden(s);
	search_sort(s);
	return 0;
}
