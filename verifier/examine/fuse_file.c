/* SPDX-License-Identifier: MIT */
#include "verifier/examine/fuse_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

int fuse_file_mount(int device, bool writable)
{
	char fd[16];
	const char *mode = writable ? "100600" : "100400";
	snprintf(fd, sizeof fd, "%d", device);
	int fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs < 0)
		return error_errno("the kernel has no FUSE, which images that do not fit "
				   "into memory need, and those in containers");
	int mount = -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "cairn", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "fd", fd, 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", mode, 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) == 0 &&
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(
			fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	int saved = errno;
	close(fs);
	errno = saved;
	return mount < 0 ? error_errno("cannot mount a file of our own") : mount;
}

int fuse_file_open(int mount, bool writable)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", mount);
	struct stat st;
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	int r = fd < 0 ? error_errno("cannot open a file of our own") : fd;
	close(mount);
	/* Loop devices of older kernels (6.12) take the size that was asked for last: 0.
	 */
	if (r >= 0 && fstat(fd, &st) < 0) {
		r = error_errno("cannot stat a file of our own");
		close(fd);
	}
	return r;
}
