/* SPDX-License-Identifier: MIT */
#include "verifier/examine/users.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/path.h"

void users_free(struct users *u)
{
	buffer_free(&u->read_only);
	buffer_free(&u->writers);
}

static int ERROR_PRINTF(2, 3) add(struct buffer *list, const char *format, ...)
{
	char text[128];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* The same process may have it open many times. */
	if (list->size && strstr(buffer_text(list), text))
		return 0;
	return buffer_printf(list, "%s%s", list->size ? ", " : "", text);
}

uint64_t users_encode_device(dev_t device)
{
	uint64_t low = minor(device);
	return (low & 0xff) | (uint64_t)major(device) << 8 |
	       (low & ~UINT64_C(0xff)) << 12;
}

/* Whether the file below loop device NUMBER has this name, by its path in sysfs. */
static bool has_name(int number, const char *name)
{
	char path[48], text[4096];
	snprintf(path, sizeof path, "/sys/block/loop%d/loop/backing_file", number);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	/* What cannot be told is looked at. */
	return n <= 0 || strcmp(path_base(text), name) == 0;
}

int users_look_at_loop(struct users *u, const struct stat *st, int number)
{
	char path[32];
	struct loop_info64 info;
	snprintf(path, sizeof path, "/sys/block/loop%d/loop", number);
	/* Devices that nothing is attached to are left alone. */
	if (access(path, F_OK) < 0)
		return 0;
	snprintf(path, sizeof path, "/dev/loop%d", number);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	int r = ioctl(fd, LOOP_GET_STATUS64, &info);
	close(fd);
	if (r < 0 || info.lo_inode != st->st_ino ||
		info.lo_device != users_encode_device(st->st_dev))
		return 0;
	if (info.lo_flags & LO_FLAGS_READ_ONLY)
		return add(&u->read_only, "loop%d", number);
	return add(&u->writers, "loop%d (writable)", number);
}

int users_find_loops(struct users *u, const struct stat *st, const char *name)
{
	DIR *dir = opendir("/sys/block");
	if (!dir)
		return error_errno("/sys/block: cannot list");
	int r = 0, number, end;
	for (struct dirent *d; r == 0 && (d = readdir(dir));)
		if (sscanf(d->d_name, "loop%d%n", &number, &end) == 1 &&
			!d->d_name[end] && (!name || has_name(number, name)))
			r = users_look_at_loop(u, st, number);
	closedir(dir);
	return r;
}

/* Whether FDINFO's flags (octal) are those of a file open for writing. */
static bool is_for_writing(int fdinfo_dir, const char *name)
{
	char text[256] = "";
	int fd = openat(fdinfo_dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	const char *flags = n > 0 ? strstr(text, "flags:") : NULL;
	unsigned long value = flags ? strtoul(flags + 6, NULL, 8) : 0;
	return !(value & O_PATH) && (value & O_ACCMODE) != O_RDONLY;
}

/* Whether a process has it open for writing; DIR is its directory in /proc. */
static bool has_open(int dir, const struct stat *wanted)
{
	bool found = false;
	int info = openat(dir, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fds < 0 ? NULL : fdopendir(fds);
	for (struct dirent *d; list && !found && (d = readdir(list));) {
		struct stat st;
		found = isdigit((unsigned char)d->d_name[0]) &&
			fstatat(fds, d->d_name, &st, 0) == 0 &&
			st.st_ino == wanted->st_ino && st.st_dev == wanted->st_dev &&
			is_for_writing(info, d->d_name);
	}
	if (list)
		closedir(list);
	if (info >= 0)
		close(info);
	return found;
}

/* Whether a process has it mapped so that it may write. */
static bool has_mapped(int dir, const struct stat *wanted)
{
	int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL, mode[8];
	size_t size = 0;
	bool found = false;
	unsigned device_major, device_minor;
	uintmax_t inode;
	while (maps && !found && getline(&line, &size, maps) > 0)
		found = sscanf(line, "%*s %7s %*s %x:%x %ju", mode, &device_major,
				&device_minor, &inode) == 4 &&
			inode == wanted->st_ino &&
			makedev(device_major, device_minor) == wanted->st_dev &&
			mode[1] == 'w' && mode[3] == 's';
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

static void command_name(int dir, char name[32])
{
	int fd = openat(dir, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, 31);
	if (fd >= 0)
		close(fd);
	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
}

int users_find_processes(struct users *u, const struct stat *st)
{
	DIR *proc = opendir("/proc");
	if (!proc)
		return error_errno("/proc: cannot list");
	int r = 0;
	for (struct dirent *d; r == 0 && (d = readdir(proc));) {
		char name[32];
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		int dir = openat(
			dirfd(proc), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		command_name(dir, name);
		if (has_open(dir, st))
			r = add(&u->writers, "process %s (%s)", d->d_name, name);
		else if (has_mapped(dir, st))
			r = add(&u->writers, "process %s (%s, mapped)", d->d_name, name);
		close(dir);
	}
	closedir(proc);
	return r;
}
