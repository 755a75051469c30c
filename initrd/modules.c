/* SPDX-License-Identifier: MIT */
#include "initrd/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"
#include "initrd/fail.h"
#include "initrd/plan/drivers.h"

/* linux/module.h */
#define INIT_COMPRESSED_FILE 4

#define MODULES_MAX 256
#define SYSFS_DEPTH 24

static struct buffer list;
static char *tried[MODULES_MAX];
static size_t n_tried;

size_t modules_count(void)
{
	return n_tried;
}

const char *modules_name(size_t i)
{
	return tried[i];
}

static bool is_compressed(const char *name)
{
	size_t size = strlen(name);
	return size < 3 || strcmp(name + size - 3, ".ko") != 0;
}

/* Loads one file. What is already there, built in or loaded, is as good as loaded. */
static int load(const char *name)
{
	char path[160];
	snprintf(path, sizeof path, "/%s/%s", DRIVERS_DIR, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno("module %s: cannot open", name);
	int flags = is_compressed(name) ? INIT_COMPRESSED_FILE : 0;
	long r = syscall(SYS_finit_module, fd, "", flags);
	int err = errno;
	close(fd);
	errno = err;
	if (r < 0 && err != EEXIST)
		return error_errno("module %s: the kernel refused it", name);
	return 0;
}

/* Returns 1 if NAME had its turn before, 0 if it is new and was noted down. */
static int first_time(const char *name)
{
	for (size_t i = 0; i < n_tried; i++)
		if (!strcmp(tried[i], name))
			return 1;
	if (n_tried == MODULES_MAX)
		return error_format("more than %d modules", MODULES_MAX);
	if (!(tried[n_tried] = strdup(name)))
		return error_memory();
	n_tried++;
	return 0;
}

static int load_needed(void *context, const char *name)
{
	(void)context;
	int r = first_time(name);
	return r ? (r < 0 ? r : 0) : load(name);
}

static int load_driver(void *context, const char *name)
{
	bool *loaded = context;
	int r = first_time(name);
	if (r)
		return r < 0 ? r : 0;
	if (load(name) < 0)
		note("%s", error_text());
	else
		*loaded = true;
	return 0;
}

int modules_load_for(const char *alias)
{
	bool loaded = false;
	return drivers_match(buffer_span(&list), alias, load_driver, &loaded);
}

int modules_start(void)
{
	int r = file_slurp("/" DRIVERS_FILE, DRIVERS_MAX_SIZE, &list);
	return r < 0 ? r : drivers_match(buffer_span(&list), NULL, load_needed, NULL);
}

/*
 * Many devices have the same modalias, and all are looked at again while we wait. What
 * was matched once needs no other look. Beyond the table's size all are looked at.
 */
static bool was_matched(const char *alias)
{
	static uint64_t matched[1024];
	static size_t n_matched;
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *alias; alias++)
		hash = (hash ^ (uint8_t)*alias) * UINT64_C(1099511628211);
	for (size_t i = 0; i < n_matched; i++)
		if (matched[i] == hash)
			return true;
	if (n_matched < sizeof matched / sizeof matched[0])
		matched[n_matched++] = hash;
	return false;
}

/* The driver for one device, whose directory is DIR. */
static int drive(int dir, bool *loaded)
{
	char alias[4097];
	int fd = openat(dir, "modalias", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, alias, sizeof alias - 1);
	close(fd);
	if (n <= 0)
		return 0;
	alias[n] = 0;
	alias[strcspn(alias, "\n")] = 0;
	if (was_matched(alias))
		return 0;
	return drivers_match(buffer_span(&list), alias, load_driver, loaded);
}

/* DIR is consumed. Devices come and go while we look: what is gone is no error. */
static int walk(int dir, unsigned depth, bool *loaded)
{
	int r = drive(dir, loaded);
	DIR *d = r < 0 ? NULL : fdopendir(dir);
	if (!d) {
		close(dir);
		return r;
	}
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.' || depth == SYSFS_DEPTH)
			continue;
		int below = openat(dirfd(d), e->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			r = walk(below, depth + 1, loaded);
	}
	closedir(d);
	return r;
}

int modules_walk(void)
{
	bool any = false, loaded = true;
	while (loaded) {
		loaded = false;
		int dir = open("/sys/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return error_errno("/sys/devices: cannot open");
		int r = walk(dir, 0, &loaded);
		if (r < 0)
			return r;
		any |= loaded;
	}
	return any;
}
