/* SPDX-License-Identifier: MIT */
#include "verifier/examine/safe_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUSY_TRIES   25
#define BUSY_WAIT_US 20000

#define N_OPTIONS 4

/*
 * Options of the kernel's file systems, "NAME" or "NAME=VALUE"; each set is tried in its
 * turn. Sources: Documentation/admin-guide/ext4.rst, xfs.rst, btrfs(5).
 */
static const struct way {
	const char *type; /* as blkid names it */
	const char *driver;
	const char *safe[N_OPTIONS];
	const char *replay[N_OPTIONS];
} ways[] = {
	{"ext2", "ext4", {"noload", "errors=continue"}, {"errors=continue"}},
	{"ext3", "ext4", {"noload", "errors=continue"}, {"errors=continue"}},
	{"ext4", "ext4", {"noload", "errors=continue"}, {"errors=continue"}},
	/* Backup superblocks, in KiB, where blocks are of 1 and of 4 KiB. */
	{"ext4", "ext4", {"noload", "errors=continue", "sb=8193"}, {NULL}},
	{"ext4", "ext4", {"noload", "errors=continue", "sb=131072"}, {NULL}},
	{"xfs", "xfs", {"norecovery", "nouuid"}, {"nouuid"}},
	{"btrfs", "btrfs", {"rescue=nologreplay"}, {NULL}},
	{"btrfs", "btrfs", {"rescue=all"}, {NULL}},
	{"squashfs", "squashfs", {NULL}, {NULL}},
	{"erofs", "erofs", {NULL}, {NULL}},
};

#define N_WAYS (sizeof ways / sizeof ways[0])

int safe_mount_check_privileges(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 && errno == EPERM)
		return error_set(STATUS_FAILED, EPERM,
			"examine needs CAP_SYS_ADMIN, for a loop device and a mount; "
			"verify and inspect need no privileges");
	if (fs < 0)
		return error_errno("this kernel has no fsopen(2), or forbids it");
	close(fs);
	return 0;
}

bool safe_mount_knows(const char *type)
{
	for (size_t i = 0; i < N_WAYS; i++)
		if (!strcmp(ways[i].type, type))
			return true;
	return false;
}

static int set_option(int fs, const char *option)
{
	char name[64];
	const char *equals = strchr(option, '=');
	if (!equals)
		return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	snprintf(name, sizeof name, "%.*s", (int)(equals - option), option);
	return fsconfig(fs, FSCONFIG_SET_STRING, name, equals + 1, 0);
}

/* The last line of the kernel's own explanation, "" if it gave none. */
static void kernel_message(int fs, char *text, size_t size)
{
	char line[256];
	*text = 0;
	for (ssize_t n; (n = read(fs, line, sizeof line - 1)) > 0;) {
		line[n] = 0;
		line[strcspn(line, "\n")] = 0;
		/* "e ext4: ..." */
		snprintf(text, size, ": %s", n > 2 && line[1] == ' ' ? line + 2 : line);
	}
}

/* JOURNAL (or NULL) is the device for the option KEY. */
static int configure(int fs, const char *device, const char *const *options,
	const char *key, const char *journal, struct buffer *used)
{
	used->size = 0;
	int r = buffer_printf(used, "ro");
	if (r < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return -1;
	for (size_t i = 0; i < N_OPTIONS && options[i]; i++)
		if (set_option(fs, options[i]) < 0 ||
			buffer_printf(used, ",%s", options[i]) < 0)
			return -1;
	if (journal && (fsconfig(fs, FSCONFIG_SET_STRING, key, journal, 0) < 0 ||
			       buffer_printf(used, ",%s=%s", key, journal) < 0))
		return -1;
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int try_way(const struct way *way, const char *device, bool replay,
	const char *journal, struct buffer *used)
{
	char message[300];
	const char *const *options = replay ? way->replay : way->safe;
	/* xfs wants its log even if it does not recover it. */
	bool xfs = !strcmp(way->driver, "xfs");
	const char *key = xfs ? "logdev" : "journal_path";
	int fs = fsopen(way->driver, FSOPEN_CLOEXEC);
	if (fs < 0 && errno == ENODEV)
		return error_set(STATUS_FAILED, ENODEV,
			"%s: this kernel has no driver for %s", device, way->type);
	if (fs < 0)
		return error_errno("%s: cannot begin to mount it", device);
	int mount = -1;
	if (configure(fs, device, options, key, xfs || replay ? journal : NULL, used) ==
		0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	int saved = errno;
	kernel_message(fs, message, sizeof message);
	close(fs);
	if (mount < 0)
		return error_set(STATUS_FORMAT, saved,
			"%s: the kernel refuses to mount it as %s (%s): %s%s", device,
			way->type, buffer_text(used), strerror(saved), message);
	return mount;
}

/*
 * While another process finds out that the loop device it tried to set up is taken, the
 * kernel holds the device for it, and a mount of it is refused as busy.
 */
static int try_patiently(const struct way *way, const char *device, bool replay,
	const char *journal, struct buffer *used)
{
	int mount = -EBUSY;
	for (unsigned i = 0; i < BUSY_TRIES && mount == -EBUSY; i++) {
		if (i > 0)
			usleep(BUSY_WAIT_US);
		mount = try_way(way, device, replay, journal, used);
	}
	return mount;
}

int safe_mount(const char *type, const char *device, bool replay, const char *journal,
	struct buffer *options)
{
	int mount = -1;
	bool tried = false;
	struct error_record first;
	for (size_t i = 0; i < N_WAYS && mount < 0; i++) {
		if (strcmp(ways[i].type, type) != 0 || (tried && replay))
			continue;
		mount = try_patiently(&ways[i], device, replay, journal, options);
		if (!tried)
			error_take(&first);
		tried = true;
	}
	if (!tried)
		return error_format("%s: there is no safe way to mount %s", device,
			*type ? type : "what is not known");
	/* That the usual way fails says more than that the last resort does. */
	if (mount < 0)
		error_put(&first);
	return mount;
}

int safe_mount_restrict(int mount, uint64_t attributes)
{
	struct mount_attr attr = {.attr_set = attributes};
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		return error_errno("cannot restrict a mount");
	return 0;
}

/* ---- the self-check ------------------------------------------------------------------
 */

/* The same bytes are written that were read: should it succeed, nothing is harmed. */
static bool can_write_device(const char *device)
{
	char sector[512];
	int fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool written = pread(fd, sector, sizeof sector, 0) == sizeof sector &&
		       pwrite(fd, sector, sizeof sector, 0) == sizeof sector &&
		       fsync(fd) == 0;
	close(fd);
	return written;
}

static bool can_discard_device(const char *device)
{
	/* What lies below cannot be written to: should it be allowed, nothing is lost. */
	uint64_t range[2] = {0, 512};
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool done = ioctl(fd, BLKDISCARD, range) == 0;
	close(fd);
	return done;
}

static bool can_create(int mount)
{
	int fd = openat(mount, ".cairn-write-test",
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	unlinkat(mount, ".cairn-write-test", 0);
	return true;
}

static bool can_trim(int mount)
{
	struct fstrim_range range = {.len = UINT64_MAX};
	int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool done = ioctl(fd, FITRIM, &range) == 0 && range.len != 0;
	close(fd);
	return done;
}

/* Whether the file system itself, not only this mount of it, is writable now. */
static bool can_remount(int mount)
{
	struct statvfs st;
	int fs = fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs >= 0) {
		/* Refused, or granted without effect: what counts is what it is then. */
		if (fsconfig(fs, FSCONFIG_SET_FLAG, "rw", NULL, 0) == 0)
			(void)fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
		close(fs);
	}
	return fstatvfs(mount, &st) < 0 || !(st.f_flag & ST_RDONLY);
}

int safe_mount_try_writes(int mount, const char *device, struct buffer *holes)
{
	int r = 0;
	if (can_remount(mount))
		r = buffer_printf(holes, "it could be made writable; ");
	if (r == 0 && can_create(mount))
		r = buffer_printf(holes, "a file could be made on it; ");
	if (r == 0 && can_trim(mount))
		r = buffer_printf(holes, "FITRIM was accepted; ");
	if (r == 0 && can_write_device(device))
		r = buffer_printf(holes, "a sector could be written; ");
	if (r == 0 && can_discard_device(device))
		r = buffer_printf(holes, "a sector could be discarded; ");
	if (r == 0 && holes->size)
		holes->data[holes->size -= 2] = 0;
	return r;
}
