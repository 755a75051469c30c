/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"
#include "initrd/compose/mounts.h"
#include "initrd/var.h"

#define STORE    "lib/cairn/persist" /* below /var */
#define FILE_MAX (1u << 20)          /* of one that is copied from the image */

/* Nothing leads out of DIRECTORY, and no link is followed: its maker is not known. */
static int open_below(int directory, const char *path, uint64_t flags, mode_t mode)
{
	struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* Makes the directories that lead to PATH, below STORE. */
static int make_directories(int var, const char *path)
{
	char part[512];
	for (const char *end = path; (end = strchr(end, '/')); end++) {
		snprintf(part, sizeof part, "%.*s", (int)(end - path), path);
		if (mkdirat(var, part, 0755) < 0 && errno != EEXIST)
			return error_errno("/var/%s: cannot make", part);
		int fd = open_below(var, part, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return error_errno("/var/%s: is no directory of its own", part);
		close(fd);
	}
	return 0;
}

/* Contents, owner and mode of ORIGINAL; -1 stands for an empty file. */
static int read_original(
	int original, const char *stored, struct buffer *contents, struct stat *st)
{
	AUTO_FILE from = FILE_CLOSED;
	*st = (struct stat){.st_mode = S_IFREG | 0644};
	if (original < 0)
		return 0;
	if (fstat(original, st) < 0)
		return error_errno("/var/%s: cannot look at the original", stored);
	if (!S_ISREG(st->st_mode) || st->st_size > FILE_MAX)
		return error_format(
			"/var/%s: the original is no regular file, or too large", stored);
	int fd = dup(original);
	if (fd < 0)
		return error_errno("/var/%s: cannot duplicate", stored);
	int r = file_from_fd(&from, fd, stored);
	if (r == 0)
		r = buffer_append_zeros(contents, (size_t)st->st_size);
	return r < 0 ? r : file_read(&from, contents->data, contents->size, 0);
}

/*
 * A new file in the store, with contents, owner and mode of the one in the image. It gets
 * its name when it is whole: half a file would be taken for the whole one from then on.
 */
static int copy_to_store(int var, const char *stored, int original)
{
	AUTO_FILE to = FILE_CLOSED;
	BUFFER contents = {0};
	struct stat st;
	char part[512 + 8];
	int r = read_original(original, stored, &contents, &st);
	if (r < 0)
		return r;
	snprintf(part, sizeof part, "%s.part", stored);
	if (unlinkat(var, part, 0) < 0 && errno != ENOENT)
		return error_errno("/var/%s: cannot remove", part);
	int fd = open_below(var, part, O_RDWR | O_CREAT | O_EXCL, st.st_mode & 07777);
	r = fd < 0 ? error_errno("/var/%s: cannot make", part)
		   : file_from_fd(&to, fd, part);
	if (r == 0)
		r = file_write(&to, contents.data, contents.size, 0);
	if (r == 0 && (fchown(to.fd, st.st_uid, st.st_gid) < 0 || fsync(to.fd) < 0 ||
			      renameat(var, part, var, stored) < 0))
		r = error_errno("/var/%s: cannot finish", stored);
	return r;
}

/* What lies in the store must be one plain file: the next write goes there. */
static int check_stored(int var, const char *stored)
{
	struct stat st;
	int fd = open_below(var, stored, O_PATH, 0);
	if (fd < 0)
		return error_errno("/var/%s: cannot open", stored);
	int r = fstat(fd, &st);
	close(fd);
	if (r < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return error_format("/var/%s: is no regular file of one name", stored);
	return 0;
}

/* ROOT and VAR are open directories; PATH is relative to ROOT. */
static int persist_file(int root, int var, const char *path)
{
	char stored[512];
	snprintf(stored, sizeof stored, STORE "/%s", path);
	int r = make_directories(var, stored);
	int original = r < 0 ? -1 : open_below(root, path, O_RDONLY | O_NONBLOCK, 0);
	if (r == 0 && original < 0 && errno != ENOENT)
		r = error_errno("/%s: cannot open", path);
	if (r == 0 && faccessat(var, stored, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = copy_to_store(var, stored, original);
	if (original >= 0)
		close(original);
	if (r == 0)
		r = check_stored(var, stored);
	if (r < 0)
		return r;
	/* The name to be covered; in the volatile /etc it can be made. */
	int target = open_below(root, path, O_PATH, 0);
	if (target < 0 && errno == ENOENT) {
		close(open_below(root, path, O_WRONLY | O_CREAT | O_EXCL, 0644));
		target = open_below(root, path, O_PATH, 0);
	}
	if (target < 0)
		return error_errno("/%s: cannot be covered", path);
	int copy = mount_clone(var, stored, false);
	r = copy < 0 ? copy : mount_attach_to(copy, target);
	close(target);
	if (copy >= 0)
		close(copy);
	return r;
}

int var_persist(const struct policy *p, const char *root)
{
	char path[256];
	const char *list = p->persist;
	if (!*list)
		return 0;
	int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int var = top < 0 ? -1 : openat(top, "var", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = var < 0 ? error_errno("%s/var: cannot open", root) : 0;
	while (r == 0 && policy_next_path(&list, path))
		r = persist_file(top, var, path + 1);
	if (var >= 0)
		close(var);
	if (top >= 0)
		close(top);
	return r;
}
