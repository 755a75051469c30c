/* SPDX-License-Identifier: MIT */
#include "initrd/compose/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/file.h"
#include "core/path.h"
#include "initrd/compose/inside.h"
#include "initrd/compose/mounts.h"

#define MUTABLE "/var/lib/extensions.mutable"

/*
 * Layers are named to overlayfs by links in a directory of each hierarchy: "m" (the
 * manifest), "0", "1"..., "b" (the base), "u" and "w" (upper, work). With 64 layers that
 * is still below the 256 bytes that one option may have.
 */
#define LOWER_MAX 256

static int make_dir(int dirfd, const char *name, mode_t mode)
{
	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return error_errno("cannot make the directory %s of the stage", name);
	return 0;
}

static int open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_errno("cannot open the directory %s of the stage", name)
		      : fd;
}

/* Attaches the mount FD, which is consumed, at the directory NAME of DIRFD. */
static int attach(int dirfd, const char *name, int fd)
{
	int target = fd < 0 ? fd : open_dir(dirfd, name);
	int r = target < 0 ? target : mount_attach_to(fd, target);
	if (target >= 0)
		close(target);
	if (fd >= 0)
		close(fd);
	return r;
}

/*
 * A file system of its own for /usr is the base if it is mounted at an empty directory,
 * as it is on every system that is made so. Else it hides the /usr of the base.
 */
static int check_hides_nothing(const struct stage *s, const char *name)
{
	struct stat seen, below;
	if (fstatat(s->root, name, &seen, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(s->base, name, &below, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("/%s: cannot stat", name);
	if (seen.st_dev == below.st_dev && seen.st_ino == below.st_ino)
		return 0;
	int fd = open_dir(s->base, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return error_errno("/%s: cannot list", name);
	int n = 0;
	while (n < 3 && readdir(dir))
		n++;
	closedir(dir);
	return n < 3 ? 0
		     : error_set(STATUS_TRUST, EBUSY,
			       "/%s: what is mounted there hides the base, which alone "
			       "says whom to trust",
			       name);
}

/*
 * A copy of the mount of the root directory shows what lies below mounts; those of the
 * hierarchies are put back, for they may be file systems of their own.
 */
static int add_base(struct stage *s)
{
	int r = make_dir(s->fd, "base", 0755);
	if (r == 0)
		r = attach(s->fd, "base", mount_clone(s->root, "", false));
	if (r == 0)
		r = s->base = open_dir(s->fd, "base");
	for (int h = 0; r >= 0 && h < N_HIERARCHIES; h++) {
		const char *name = hierarchy_name((enum hierarchy)h);
		struct stat st;
		if (fstatat(s->base, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(st.st_mode))
			continue;
		if (h == HIERARCHY_USR)
			r = check_hides_nothing(s, name);
		if (r >= 0)
			r = attach(s->base, name, mount_clone(s->root, name, false));
	}
	return r < 0 ? r : 0;
}

int stage_open(struct stage *s, const char *root, const char *run)
{
	static const char *const options[] = {"mode=0700", NULL};
	*s = STAGE_CLOSED;
	if (snprintf(s->path, sizeof s->path, "%s/stage", run) >= (int)sizeof s->path)
		return error_usage("%s: the path is too long", run);
	int r = path_make_dirs(s->path, 0755);
	if (r == 0)
		r = mount_at("tmpfs", s->path, options, MOUNT_NODEV);
	if (r == 0)
		r = s->fd = path_open_dir(s->path);
	if (r >= 0)
		r = s->root = path_open_dir(root);
	return r < 0 ? r : add_base(s);
}

void stage_close(struct stage *s)
{
	int *fds[] = {&s->fd, &s->root, &s->base};
	for (size_t i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

int stage_open_base(const struct stage *s, const char *path)
{
	int fd = inside_open(s->base, path, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? error_set(STATUS_FAILED, -fd, "%s: cannot open in the base: %s",
				path, strerror(-fd))
		      : fd;
}

int stage_add(const struct stage *s, size_t number, int tree)
{
	char name[24];
	snprintf(name, sizeof name, "%zu", number);
	int r = make_dir(s->fd, name, 0755);
	int target = r < 0 ? r : open_dir(s->fd, name);
	r = target < 0 ? target : mount_attach_to(tree, target);
	if (target >= 0)
		close(target);
	return r;
}

/* ---- one overlay ----------------------------------------------------------- */

/* The top directory of an overlay is as its top layer's: let that be as the base's. */
static int dress(int dir, int base)
{
	struct stat st;
	char names[4096], value[4096];
	if (fstat(base, &st) < 0 || fchown(dir, st.st_uid, st.st_gid) < 0 ||
		fchmod(dir, st.st_mode & 07777) < 0)
		return error_errno("cannot give the stage the base's attributes");
	ssize_t n = flistxattr(base, names, sizeof names);
	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(base, name, value, sizeof value);
		/* A tmpfs may lack user.*; labels and capabilities are what counts. */
		if (size >= 0 && fsetxattr(dir, name, value, (size_t)size, 0) < 0 &&
			!strncmp(name, "security.", 9))
			return error_errno(
				"cannot give the stage the attribute %s", name);
	}
	return 0;
}

/* Makes the directory NAME, dressed as the base's. Returns its descriptor. */
static int make_dressed(int dirfd, const char *name, int base)
{
	int r = make_dir(dirfd, name, 0700);
	int fd = r < 0 ? r : open_dir(dirfd, name);
	r = fd < 0 ? fd : dress(fd, base);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int put_manifest(int dirfd, struct span text)
{
	AUTO_FILE f = FILE_CLOSED;
	int fd = openat(
		dirfd, MANIFEST_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return error_errno("cannot write the list of the composition");
	int r = file_from_fd(&f, fd, MANIFEST_FILE);
	if (r == 0 && fchmod(f.fd, 0444) < 0)
		r = error_errno("cannot write the list of the composition");
	return r < 0 ? r : file_write(&f, text.data, text.size, 0);
}

static int link_at(int dirfd, const char *name, const char *target)
{
	if (symlinkat(target, dirfd, name) < 0)
		return error_errno("cannot name the layer %s", name);
	return 0;
}

/* The links "0"... and "b", and the list of all layers, the highest first. */
static int name_layers(const struct overlay *o, int dir, char lower[LOWER_MAX])
{
	const char *hierarchy = hierarchy_name(o->hierarchy);
	char name[24], target[64];
	size_t at = (size_t)snprintf(lower, LOWER_MAX, "m");
	snprintf(target, sizeof target, "../base/%s", hierarchy);
	int r = link_at(dir, "b", target);
	for (size_t i = o->n_layers; r == 0 && i-- > 0;) {
		if (!o->has[i])
			continue;
		snprintf(name, sizeof name, "%zu", i);
		snprintf(target, sizeof target, "../%zu/%s", i, hierarchy);
		r = link_at(dir, name, target);
		if (at + strlen(name) + 4 > LOWER_MAX)
			return error_format("too many layers for one overlay");
		at += (size_t)snprintf(lower + at, LOWER_MAX - at, ":%s", name);
	}
	snprintf(lower + at, LOWER_MAX - at, ":b");
	return r;
}

static int open_mutable(const struct stage *s, enum hierarchy h)
{
	char path[64];
	snprintf(path, sizeof path, MUTABLE "/%s", hierarchy_name(h));
	return inside_open(s->root, path, O_RDONLY | O_DIRECTORY);
}

bool stage_is_mutable(const struct stage *s, enum hierarchy h)
{
	int fd = open_mutable(s, h);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The links "u" and "w": directories of the stage, or the system's own. */
static int name_upper(const struct stage *s, const struct overlay *o, int dir, int base)
{
	char target[PATH_MAX], self[32], work[64];
	if (o->mode == MODE_EPHEMERAL) {
		int upper = make_dressed(dir, "u", base);
		if (upper >= 0)
			close(upper);
		return upper < 0 ? upper : make_dir(dir, "w", 0700);
	}
	int upper = open_mutable(s, o->hierarchy);
	if (upper < 0)
		return error_set(STATUS_FAILED, -upper, MUTABLE "/%s: cannot open: %s",
			hierarchy_name(o->hierarchy), strerror(-upper));
	snprintf(self, sizeof self, "/proc/self/fd/%d", upper);
	ssize_t n = readlink(self, target, sizeof target - 1);
	snprintf(work, sizeof work, "../.cairn.%s.work", hierarchy_name(o->hierarchy));
	int r = 0;
	if (n <= 0)
		r = error_errno(MUTABLE ": cannot find its name");
	else if (mkdirat(upper, work, 0700) < 0 && errno != EEXIST)
		r = error_errno(MUTABLE ": cannot make a work directory");
	close(upper);
	if (r < 0)
		return r;
	target[n] = 0;
	r = link_at(dir, "u", target);
	char *slash = strrchr(target, '/');
	if (r == 0 && (size_t)(slash - target) + sizeof work < sizeof target) {
		strcpy(slash, work + 2);
		r = link_at(dir, "w", target);
	}
	return r;
}

static unsigned attributes_of(int base, enum compose_mode mode)
{
	struct statvfs v;
	unsigned a = MOUNT_NODEV | (mode == MODE_IMMUTABLE ? (unsigned)MOUNT_RO : 0u);
	if (fstatvfs(base, &v) == 0) {
		a |= v.f_flag & ST_NOSUID ? (unsigned)MOUNT_NOSUID : 0u;
		a |= v.f_flag & ST_NOEXEC ? (unsigned)MOUNT_NOEXEC : 0u;
	}
	return a;
}

/* The names of layers are relative: DIR becomes the working directory. */
static int mount_overlay(const struct overlay *o, int dir, int base, const char *lower)
{
	char option[LOWER_MAX + 16];
	const char *options[8] = {option, "redirect_dir=nofollow", "metacopy=off"};
	size_t n = 3;
	snprintf(option, sizeof option, "lowerdir=%s", lower);
	if (o->mode != MODE_IMMUTABLE) {
		options[n++] = "upperdir=u";
		options[n++] = "workdir=w";
	}
	if (fchdir(dir) < 0)
		return error_errno("cannot enter the stage");
	return mount_make(
		"overlay", OVERLAY_SOURCE, options, attributes_of(base, o->mode));
}

static int add_submounts(const struct overlay *o, int merged)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < o->n_submounts; i++) {
		int target = inside_open(merged, o->submounts[i].path, O_PATH);
		r = target < 0 ? -1 : mount_attach_to(o->submounts[i].fd, target);
		if (target >= 0)
			close(target);
		if (r < 0)
			r = error_set(STATUS_FAILED, EBUSY,
				"/%s/%s: is mounted, and has no place in the new "
				"composition",
				hierarchy_name(o->hierarchy), o->submounts[i].path);
	}
	return r;
}

/* In DIR, the hierarchy's own directory of the stage. */
static int build(const struct stage *s, const struct overlay *o, int dir, int base)
{
	char lower[LOWER_MAX];
	int r = make_dressed(dir, "m", base);
	if (r >= 0) {
		int top = r;
		r = put_manifest(top, o->manifest);
		close(top);
	}
	if (r == 0)
		r = name_layers(o, dir, lower);
	if (r == 0 && o->mode != MODE_IMMUTABLE)
		r = name_upper(s, o, dir, base);
	if (r == 0)
		r = make_dir(dir, "merged", 0755);
	if (r == 0)
		r = attach(dir, "merged", mount_overlay(o, dir, base, lower));
	int merged = r < 0 ? r : open_dir(dir, "merged");
	r = merged < 0 ? merged : add_submounts(o, merged);
	if (r == 0)
		r = mount_clone(merged, "", true);
	if (merged >= 0)
		close(merged);
	return r;
}

int stage_overlay(const struct stage *s, const struct overlay *o)
{
	char name[24];
	snprintf(name, sizeof name, "o.%s", hierarchy_name(o->hierarchy));
	int base = stage_open_base(s, hierarchy_name(o->hierarchy));
	int r = base < 0 ? base : make_dir(s->fd, name, 0700);
	int dir = r < 0 ? r : open_dir(s->fd, name);
	r = dir < 0 ? dir : build(s, o, dir, base);
	if (dir >= 0)
		close(dir);
	if (base >= 0)
		close(base);
	return r;
}
