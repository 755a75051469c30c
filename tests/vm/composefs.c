/* SPDX-License-Identifier: MIT */
/*
 * The guest of test_composefs: puts /disk/tree into a store of blobs on ext4 with
 * fs-verity, mounts it again through overlayfs with verity=require, compares, and then
 * damages two blobs. /modules lists what to load, in order; STORE is the store's digest.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/vm/modules.h"

#define LOWER                                                                      \
	"metacopy=on,redirect_dir=on,verity=require,lowerdir=/names::/disk/store/" \
	"objects"

static unsigned n_same, n_different;

/* Runs cairn; its standard output is in /out. */
static int run(char *const argv[])
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int out = open("/out", O_RDWR | O_CREAT | O_TRUNC, 0600);
		dup2(out, 1);
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

/* Whether the kernel checks PATH, and under the name it has. */
static int is_verity(const char *path, const char *name)
{
	union {
		struct fsverity_digest digest;
		uint8_t room[sizeof(struct fsverity_digest) + 64];
	} measured = {.digest = {.digest_size = 64}};
	char text[129] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = ioctl(fd, FS_IOC_MEASURE_VERITY, &measured);
	close(fd);
	for (int i = 0; r == 0 && i < 32; i++)
		sprintf(text + 2 * i, "%02x", measured.digest.digest[i]);
	return r == 0 && !strcmp(text, name);
}

static void check_objects(void)
{
	unsigned good = 0, bad = 0;
	for (int byte = 0; byte < 256; byte++) {
		char path[300], name[300];
		snprintf(path, sizeof path, "/disk/store/objects/%02x", (unsigned)byte);
		DIR *dir = opendir(path);
		for (struct dirent *d; dir && (d = readdir(dir));) {
			if (d->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "/disk/store/objects/%02x/%s",
				(unsigned)byte, d->d_name);
			snprintf(name, sizeof name, "%02x%s", (unsigned)byte, d->d_name);
			*(is_verity(path, name) ? &good : &bad) += 1;
		}
		if (dir)
			closedir(dir);
	}
	printf("MARKER verity: %u objects checked by the kernel, %u not\n", good, bad);
}

static int same_bytes(const char *a, const char *b)
{
	static char x[65536], y[65536];
	int f = open(a, O_RDONLY | O_CLOEXEC), g = open(b, O_RDONLY | O_CLOEXEC),
	    same = 1;
	ssize_t n = 1;
	while (same && n > 0) {
		n = read(f, x, sizeof x);
		same = n >= 0 && read(g, y, sizeof y) == n && !memcmp(x, y, (size_t)n);
	}
	close(f);
	close(g);
	return same;
}

static int same_xattrs(const char *a, const char *b)
{
	char x[4096] = "", y[4096] = "", v[1024], w[1024];
	ssize_t n = llistxattr(a, x, sizeof x), m = llistxattr(b, y, sizeof y);
	int same = n >= 0 && n == m;
	for (char *name = x; same && name < x + n; name += strlen(name) + 1) {
		ssize_t i = lgetxattr(a, name, v, sizeof v);
		ssize_t k = lgetxattr(b, name, w, sizeof w);
		same = i >= 0 && i == k && !memcmp(v, w, (size_t)i);
	}
	return same;
}

static int same_file(const char *a, const char *b)
{
	struct stat s, t;
	char x[4096] = "", y[4096] = "";
	if (lstat(a, &s) < 0 || lstat(b, &t) < 0)
		return 0;
	if (s.st_mode != t.st_mode || s.st_uid != t.st_uid || s.st_gid != t.st_gid ||
		s.st_mtime != t.st_mtime || s.st_mtim.tv_nsec != t.st_mtim.tv_nsec ||
		(!S_ISDIR(s.st_mode) && s.st_size != t.st_size) ||
		(!S_ISDIR(s.st_mode) && s.st_nlink != t.st_nlink) ||
		s.st_rdev != t.st_rdev)
		return 0;
	if (S_ISLNK(s.st_mode) &&
		(readlink(a, x, sizeof x - 1) < 0 || readlink(b, y, sizeof y - 1) < 0 ||
			strcmp(x, y) != 0))
		return 0;
	return same_xattrs(a, b) && (!S_ISREG(s.st_mode) || same_bytes(a, b));
}

static void compare(const char *a, const char *b)
{
	struct stat s;
	int same = same_file(a, b);
	*(same ? &n_same : &n_different) += 1;
	if (!same)
		printf("MARKER different: %s\n", a);
	if (lstat(a, &s) < 0 || !S_ISDIR(s.st_mode))
		return;
	DIR *dir = opendir(a);
	for (struct dirent *d; dir && (d = readdir(dir));) {
		char x[4096], y[4096];
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		snprintf(x, sizeof x, "%s/%s", a, d->d_name);
		snprintf(y, sizeof y, "%s/%s", b, d->d_name);
		compare(x, y);
	}
	if (dir)
		closedir(dir);
}

static void mount_tree(const char *names)
{
	if (mount("/dev/vda", "/disk", "ext4", 0, NULL) < 0)
		stop("mount of the disk");
	if (mount(names, "/names", "erofs", MS_RDONLY, NULL) < 0)
		stop("mount of the names");
	if (mount("overlay", "/merged", "overlay", MS_RDONLY, LOWER) < 0)
		stop("mount of the overlay");
}

static void unmount_tree(void)
{
	if (umount("/merged") < 0 || umount("/names") < 0 || umount("/disk") < 0)
		stop("umount");
}

/* The path of the blob that a digest names. */
static void object_path(char path[200], const char *digest)
{
	snprintf(path, 200, "/disk/store/objects/%.2s/%.62s", digest, digest + 2);
}

static void say_read(const char *what, const char *path)
{
	char data[100];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
	printf("MARKER %s: %s\n", what, n < 0 ? strerror(errno) : "can be read");
	if (fd >= 0)
		close(fd);
}

static void digest_of(const char *path, char digest[65])
{
	char *argv[] = {"/cairn", "digest", "--compact", (char *)(uintptr_t)path, NULL};
	int status = run(argv);
	FILE *f = fopen("/out", "r");
	if (status != 0 || !f || fscanf(f, "%64s", digest) != 1)
		stop("cairn digest");
	fclose(f);
}

/* Where the first block of a file is on the disk, in bytes. */
static off_t place_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), block = 0;
	if (ioctl(fd, FIBMAP, &block) < 0 || !block)
		stop("FIBMAP");
	close(fd);
	return (off_t)block * 4096;
}

static void damage(const char *names)
{
	char one[65] = "", two[65] = "", path[200];
	digest_of("/disk/tree/one", one);
	digest_of("/disk/tree/two", two);
	object_path(path, two);
	off_t place = place_of(path);
	object_path(path, one);
	if (unlink(path) < 0)
		stop("unlink");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0444);
	if (fd < 0 || write(fd, "forged", 6) != 6)
		stop("forging");
	close(fd);
	unmount_tree();
	fd = open("/dev/vda", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, "X", 1, place + 10) != 1)
		stop("writing to the disk");
	close(fd);
	mount_tree(names);
}

int main(void)
{
	char *add[] = {
		"/cairn", "store", "add", "--quiet", "/disk/store", "/disk/tree", NULL};
	char digest[65] = "", names[200];
	setvbuf(stdout, NULL, _IONBF, 0);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	load_modules();
	for (int i = 0; i < 500 && access("/dev/vda", F_OK); i++)
		usleep(20000);
	if (mount("/dev/vda", "/disk", "ext4", 0, NULL) < 0)
		stop("mount of the disk");
	if (run(add) != 0)
		stop("cairn store add");
	FILE *f = fopen("/out", "r");
	if (!f || fscanf(f, "sha256:%64s", digest) != 1)
		stop("reading the digest");
	printf("MARKER tree: %s\n", digest);
	object_path(names, digest);
	check_objects();
	umount("/disk");
	mount_tree(names);
	compare("/disk/tree", "/merged");
	printf("MARKER compared: %u the same, %u different\n", n_same, n_different);
	damage(names);
	say_read("replaced", "/merged/one");
	say_read("one byte", "/merged/two");
	say_read("untouched", "/merged/three");
	unmount_tree();
	sync();
	printf("MARKER end\n");
	reboot(RB_POWER_OFF);
	return 0;
}
