/* SPDX-License-Identifier: MIT */
#include "initrd/compose/anchors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"
#include "initrd/compose/anchors_policy.h"
#include "initrd/compose/revoked.h"

#define PINS_MAX 1024

/*
 * Opens PATH below the directory FD: no symbolic link on the way or at the end, nothing
 * that is mounted over. -ENOENT (which the caller may expect) is not recorded.
 */
static int open_beneath(int fd, const char *path, int flags)
{
	struct open_how how = {.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	how.flags = (unsigned)(flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int opened = (int)syscall(SYS_openat2, fd, path, &how, sizeof how);
	if (opened < 0)
		return errno == ENOENT ? -ENOENT : error_errno("%s: cannot open", path);
	return opened;
}

/* The whole of the regular file NAME is appended to B; -ENOENT if there is none. */
static int read_file(int dir, const char *name, struct buffer *b)
{
	struct stat st;
	int fd = open_beneath(dir, name, 0);
	if (fd < 0)
		return fd;
	int r = 0;
	if (fstat(fd, &st) < 0)
		r = error_errno("%s: cannot look at", name);
	else if (!S_ISREG(st.st_mode))
		r = error_format("%s: not a regular file", name);
	else
		r = file_slurp_fd(fd, name, ANCHORS_FILE_MAX, b);
	close(fd);
	return r;
}

static int add_pin(struct anchors_pins *pins, int dir, const char *file, const char *name)
{
	BUFFER bytes = {0};
	struct pin pin;
	if (pins->n_items == PINS_MAX)
		return error_format("more than %d certificates", PINS_MAX);
	struct pin *items = realloc(pins->items, (pins->n_items + 1) * sizeof *items);
	if (!items)
		return error_memory();
	pins->items = items;
	int r = read_file(dir, file, &bytes);
	/* It was just listed: that it is gone is no reason to go on without. */
	if (r == -ENOENT)
		return error_set(STATUS_FAILED, EIO, "%s: vanished", name);
	if (r < 0)
		return r;
	r = pin_parse(&pin, buffer_span(&bytes), name);
	if (r < 0)
		pin_free(&pin);
	else
		items[pins->n_items++] = pin;
	return r;
}

static bool is_certificate(const char *name)
{
	size_t size = strlen(name);
	return size > 4 &&
	       (!strcmp(name + size - 4, ".crt") || !strcmp(name + size - 4, ".pem"));
}

static int add_directory(struct anchors_pins *pins, DIR *d, const char *purpose)
{
	const struct dirent *e;
	int r = 0;
	while (r == 0 && (errno = 0, e = readdir(d))) {
		char name[PIN_NAME_SIZE];
		if (!is_certificate(e->d_name))
			continue;
		snprintf(name, sizeof name, "%s/%s", purpose, e->d_name);
		r = add_pin(pins, dirfd(d), e->d_name, name);
	}
	return r == 0 && errno ? error_errno("%s: cannot read", purpose) : r;
}

static int read_purpose(struct anchors *a, int trust, enum purpose purpose)
{
	const char *name = purpose_name(purpose);
	int fd = open_beneath(trust, name, O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return error_errno("%s: cannot read", name);
	}
	int r = add_directory(&a->pins[purpose], d, name);
	closedir(d);
	return r;
}

static int read_trust(struct anchors *a, int dir)
{
	int trust = open_beneath(dir, ANCHORS_TRUST, O_DIRECTORY), r = 0;
	if (trust < 0)
		return trust == -ENOENT ? 0 : trust;
	for (int purpose = 0; r == 0 && purpose < N_PURPOSES; purpose++)
		r = read_purpose(a, trust, (enum purpose)purpose);
	close(trust);
	return r;
}

static int read_lists(struct anchors *a, int dir)
{
	int r = read_file(dir, ANCHORS_REVOKED, &a->revoked);
	if (r == 0)
		r = revoked_check(buffer_span(&a->revoked), ANCHORS_REVOKED);
	if (r < 0 && r != -ENOENT)
		return r;
	r = read_file(dir, ANCHORS_POLICY, &a->policy);
	if (r == 0)
		r = anchors_policy_parse(a);
	return r == -ENOENT ? 0 : r;
}

int anchors_read(struct anchors *a, int usr_fd)
{
	*a = (struct anchors){0};
	int dir = open_beneath(usr_fd, ANCHORS_DIR, O_DIRECTORY);
	if (dir == -ENOENT)
		return 0;
	int r = dir < 0 ? dir : read_trust(a, dir);
	if (r == 0)
		r = read_lists(a, dir);
	if (dir >= 0)
		close(dir);
	return r < 0 ? error_context(r, "trust of the base") : 0;
}

void anchors_free(struct anchors *a)
{
	for (int purpose = 0; purpose < N_PURPOSES; purpose++) {
		for (size_t i = 0; i < a->pins[purpose].n_items; i++)
			pin_free(&a->pins[purpose].items[i]);
		free(a->pins[purpose].items);
	}
	buffer_free(&a->revoked);
	buffer_free(&a->policy);
	*a = (struct anchors){0};
}
