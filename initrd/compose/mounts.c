/* SPDX-License-Identifier: MIT */
#include "initrd/compose/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/fs.h; sys/mount.h would clash with linux/mount.h. */
#define DETACH 2 /* MNT_DETACH */

/* linux/fcntl.h and, since 6.5, linux/mount.h. */
#define AT_RECURSIVE_TREE 0x8000u
#define BENEATH           0x200u /* MOVE_MOUNT_BENEATH */

/* The kernel's own words, which wait in the descriptor: "e ext4: Invalid superblock". */
static int refused(int fs, const char *type, const char *source)
{
	int err = errno;
	char said[256];
	ssize_t n = read(fs, said, sizeof said - 1);
	said[n > 0 ? n : 0] = 0;
	said[strcspn(said, "\n")] = 0;
	const char *why = n > 2 ? said + 2 : strerror(err);
	return error_set(
		STATUS_FAILED, err, "cannot mount %s as %s: %s", source, type, why);
}

static int configure(int fs, unsigned command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, command, key, value, 0);
}

static int set_option(int fs, const char *option)
{
	char key[64];
	size_t size = strcspn(option, "=");
	if (!option[size])
		return configure(fs, FSCONFIG_SET_FLAG, option, NULL);
	if (size >= sizeof key) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(key, option, size);
	key[size] = 0;
	return configure(fs, FSCONFIG_SET_STRING, key, option + size + 1);
}

static unsigned attribute_flags(unsigned attributes)
{
	return (attributes & MOUNT_RO ? (unsigned)MOUNT_ATTR_RDONLY : 0u) |
	       (attributes & MOUNT_NOSUID ? (unsigned)MOUNT_ATTR_NOSUID : 0u) |
	       (attributes & MOUNT_NODEV ? (unsigned)MOUNT_ATTR_NODEV : 0u) |
	       (attributes & MOUNT_NOEXEC ? (unsigned)MOUNT_ATTR_NOEXEC : 0u);
}

int mount_make(const char *type, const char *source, const char *const *options,
	unsigned attributes)
{
	int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return error_errno("the kernel has no file system %s", type);
	int r = configure(fs, FSCONFIG_SET_STRING, "source", source);
	if (r == 0 && attributes & MOUNT_RO)
		r = configure(fs, FSCONFIG_SET_FLAG, "ro", NULL);
	for (; r == 0 && options && *options; options++)
		r = set_option(fs, *options);
	if (r == 0)
		r = configure(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		r = (int)syscall(
			SYS_fsmount, fs, FSMOUNT_CLOEXEC, attribute_flags(attributes));
	if (r < 0)
		r = refused(fs, type, source);
	close(fs);
	return r;
}

int mount_attach(int fd, const char *path)
{
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno("cannot attach a mount at %s", path);
	return 0;
}

int mount_at(const char *type, const char *path, const char *const *options,
	unsigned attributes)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_errno("cannot make the directory %s", path);
	int fd = mount_make(type, type, options, attributes);
	if (fd < 0)
		return fd;
	int r = mount_attach(fd, path);
	close(fd);
	return r;
}

int mount_move(const char *from, const char *to)
{
	if (syscall(SYS_move_mount, AT_FDCWD, from, AT_FDCWD, to, 0) < 0)
		return error_errno("cannot move the mount %s to %s", from, to);
	return 0;
}

int mount_detach(const char *path)
{
	if (syscall(SYS_umount2, path, DETACH) < 0)
		return error_errno("cannot detach the mount at %s", path);
	return 0;
}

int mount_clone(int dirfd, const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			 AT_SYMLINK_NOFOLLOW | (recursive ? AT_RECURSIVE_TREE : 0u);
	int fd = (int)syscall(SYS_open_tree, dirfd, path, flags);
	return fd < 0 ? error_errno("cannot copy the mount at %s", path) : fd;
}

int mount_attach_to(int fd, int target)
{
	if (syscall(SYS_move_mount, fd, "", target, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno("cannot attach a mount");
	return 0;
}

int mount_beneath(int fd, const char *path)
{
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, path,
		    MOVE_MOUNT_F_EMPTY_PATH | BENEATH) < 0)
		return error_errno("cannot attach a mount beneath the one at %s", path);
	return 0;
}
