/* SPDX-License-Identifier: MIT */
#include "initrd/compose/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/path.h"

int compose_lock(struct file *lock, const char *run, unsigned timeout_ms)
{
	char path[PATH_MAX];
	*lock = FILE_CLOSED;
	snprintf(path, sizeof path, "%s/extensions.lock", run);
	int r = path_make_dirs(run, 0755);
	if (r < 0)
		return r;
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno("%s: cannot open", path);
	r = file_from_fd(lock, fd, path);
	return r < 0 ? r : file_lock(lock, LOCK_EX, timeout_ms);
}

static int write_file(const char *path, struct span text)
{
	AUTO_FILE f = FILE_CLOSED;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("%s: cannot make", path);
	int r = file_from_fd(&f, fd, path);
	return r < 0 ? r : file_write(&f, text.data, text.size, 0);
}

int compose_save(const char *run, const char *name, struct span text)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s", run, name) >= (int)sizeof path ||
		snprintf(temporary, sizeof temporary, "%s/%s.new", run, name) >=
			(int)sizeof temporary)
		return error_usage("%s: the path is too long", run);
	if (!text.size)
		return unlink(path) < 0 && errno != ENOENT
			       ? error_errno("%s: cannot remove", path)
			       : 0;
	/* The lock is held: nobody else writes here. */
	int r = write_file(temporary, text);
	if (r == 0 && rename(temporary, path) < 0)
		r = error_errno("%s: cannot put in place", path);
	return r;
}
