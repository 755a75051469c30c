/* SPDX-License-Identifier: MIT */
#include "initrd/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/path.h"
#include "initrd/compose/mounts.h"
#include "initrd/fail.h"

#define VERIFIED "/verified" /* the base, while an overlay is made of it */
#define VOLATILE "/volatile"
#define IMAGE    "/image" /* all of it, where the root is one of its directories */

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_errno("cannot make the directory %s", path);
	return 0;
}

/* The image at PATH is of the epoch that was compared with the floor. */
static int check_epoch(const struct policy *p, const char *path)
{
	char usr[64];
	snprintf(usr, sizeof usr, "%s%s", path, p->part == PART_USR ? "" : "/usr");
	int fd = path_open_dir(usr);
	if (fd < 0)
		return fd;
	int r = trust_check_epoch(p, fd);
	close(fd);
	return r;
}

/* The device and type must be as asked; the mount is refused if it is not read-only. */
static int mount_image(const struct base *base, const struct policy *p, const char *path)
{
	int fd = mount_make(p->fs, base->node, NULL, MOUNT_RO);
	if (fd < 0)
		return fd;
	int r = make_dir(path, 0755);
	if (r == 0)
		r = mount_attach(fd, path);
	close(fd);
	return r < 0 ? r : check_epoch(p, path);
}

/* A copy of the image's mount that begins at the directory; no link leads to it. */
static int open_subdir(const struct policy *p)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	int image = path_open_dir(IMAGE);
	if (image < 0)
		return image;
	int fd = (int)syscall(SYS_openat2, image, p->subdir + 1, &how, sizeof how);
	int r = fd < 0 ? error_errno("%s: the image has no such directory", p->subdir)
		       : mount_clone(fd, "", false);
	if (fd >= 0)
		close(fd);
	close(image);
	return r;
}

static int mount_base(const struct base *base, const struct policy *p, const char *path)
{
	if (!p->subdir[0])
		return mount_image(base, p, path);
	int r = mount_image(base, p, IMAGE);
	int fd = r < 0 ? r : open_subdir(p);
	if (fd < 0)
		return fd;
	r = make_dir(path, 0755);
	if (r == 0)
		r = mount_attach(fd, path);
	close(fd);
	return r < 0 ? r : mount_detach(IMAGE);
}

/* One overlay, after which neither layer has a name any more. */
static int add_overlay(void)
{
	static const char *const options[] = {"lowerdir=" VERIFIED,
		"upperdir=" VOLATILE "/upper", "workdir=" VOLATILE "/work",
		"redirect_dir=nofollow", "metacopy=off", NULL};
	static const char *const size[] = {"mode=0755", NULL};
	struct stat st;
	int r = mount_at("tmpfs", VOLATILE, size, 0);
	if (r == 0)
		r = make_dir(VOLATILE "/upper", 0755);
	if (r == 0)
		r = make_dir(VOLATILE "/work", 0700);
	/* The overlay's root directory looks like the upper one: as the base's, then. */
	if (r == 0 && (stat(VERIFIED, &st) < 0 ||
			      chown(VOLATILE "/upper", st.st_uid, st.st_gid) ||
			      chmod(VOLATILE "/upper", st.st_mode & 07777)))
		r = error_errno("cannot prepare the overlay");
	if (r == 0)
		r = mount_at("overlay", ROOT_PATH, options, 0);
	if (r == 0)
		r = mount_detach(VERIFIED);
	if (r == 0)
		r = mount_detach(VOLATILE);
	return r;
}

/* The rest of a root file system around /usr, as the merged-usr layout has it. */
static int make_usr_root(const struct base *base, const struct policy *p)
{
	static const char *const options[] = {"mode=0755", NULL};
	static const struct {
		const char *path;
		mode_t mode;
	} directories[] = {{"/etc", 0755}, {"/var", 0755}, {"/dev", 0755},
		{"/proc", 0755}, {"/sys", 0755}, {"/run", 0755}, {"/mnt", 0755},
		{"/home", 0755}, {"/srv", 0755}, {"/opt", 0755}, {"/root", 0700},
		{"/tmp", 01777}};
	static const char *const links[] = {
		"bin", "sbin", "lib", "lib64", "lib32", "libx32"};
	char path[64], target[32];
	int r = mount_at("tmpfs", ROOT_PATH, options, 0);
	if (r == 0)
		r = mount_base(base, p, ROOT_PATH "/usr");
	for (size_t i = 0; r == 0 && i < sizeof directories / sizeof directories[0];
		i++) {
		snprintf(path, sizeof path, ROOT_PATH "%s", directories[i].path);
		r = make_dir(path, directories[i].mode);
	}
	for (size_t i = 0; r == 0 && i < sizeof links / sizeof links[0]; i++) {
		struct stat st;
		snprintf(path, sizeof path, ROOT_PATH "/usr/%s", links[i]);
		if (stat(path, &st) < 0)
			continue;
		snprintf(path, sizeof path, ROOT_PATH "/%s", links[i]);
		snprintf(target, sizeof target, "usr/%s", links[i]);
		if (symlink(target, path) < 0)
			r = error_errno("cannot make the link %s", path);
	}
	return r;
}

/*
 * The real init, looked up as if ROOT_PATH were the root already, and nowhere else. The
 * files of an overlay have device numbers of their own, so there the mount decides.
 */
static int open_init(const struct policy *p)
{
	bool usr = p->part == PART_USR;
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
			   (usr ? 0u : (unsigned)RESOLVE_NO_XDEV)};
	struct stat st, verified;
	int root = open(ROOT_PATH, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1
			  : (int)syscall(SYS_openat2, root, p->init, &how, sizeof how);
	int err = errno;
	if (root >= 0)
		close(root);
	errno = err;
	if (fd < 0)
		return error_errno("the real init %s cannot be opened", p->init);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111) ||
		(usr && (stat(ROOT_PATH "/usr", &verified) < 0 ||
				st.st_dev != verified.st_dev))) {
		close(fd);
		return error_format(
			"the real init %s is no program of the verified image", p->init);
	}
	return fd;
}

int root_make(const struct base *base, const struct policy *p)
{
	int r;
	if (p->part == PART_USR)
		r = make_usr_root(base, p);
	else if (p->overlay != OVERLAY_VOLATILE)
		r = mount_base(base, p, ROOT_PATH);
	else if ((r = mount_base(base, p, VERIFIED)) == 0)
		r = add_overlay();
	return r < 0 ? r : open_init(p);
}

int root_delete(int dirfd)
{
	struct stat here, st;
	int copy = dup(dirfd);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (!d || fstat(dirfd, &here) < 0) {
		if (d)
			closedir(d);
		close(dirfd);
		return -EIO;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
			fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			st.st_dev != here.st_dev)
			continue;
		int below =
			S_ISDIR(st.st_mode)
				? openat(dirfd, e->d_name,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				: -1;
		if (below >= 0)
			root_delete(below);
		unlinkat(dirfd, e->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	}
	closedir(d);
	close(dirfd);
	return 0;
}

/*
 * Kernels from 7.2 on let the initramfs itself be left like any root; before, it can only
 * be covered. DIRECTORY is where the new root is; OLD, the initramfs, is consumed.
 */
static int change_root(const char *directory, int old)
{
	int r = chdir(directory) < 0 ? error_errno("cannot leave the initramfs") : 0;
	if (r == 0 && syscall(SYS_pivot_root, ".", ".") == 0) {
		root_delete(old);
		/* The old root is on top of the new one now. */
		if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
			r = error_errno("cannot take the initramfs away");
		note("left the initramfs by pivot_root");
		return r;
	}
	if (r == 0)
		r = mount_move(".", "/");
	if (r == 0 && (chroot(".") < 0 || chdir("/") < 0))
		r = error_errno("cannot enter the real root");
	/* What stays of the initramfs only costs memory; the real root cannot see it. */
	if (r == 0)
		root_delete(old);
	else
		close(old);
	return r;
}

int root_enter(void)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys", "/run"};
	char to[64];
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof moved / sizeof moved[0]; i++) {
		snprintf(to, sizeof to, ROOT_PATH "%s", moved[i]);
		r = mount_move(moved[i], to);
	}
	if (r < 0)
		return r;
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return old < 0 ? error_errno("cannot open the initramfs")
		       : change_root(ROOT_PATH, old);
}
