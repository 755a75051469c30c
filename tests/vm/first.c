/* SPDX-License-Identifier: MIT */

/*
 * What `make bench-vm` runs as PID 1 to measure an initrd; says "BENCH what: number" on
 * the console and powers off.
 *
 * As /first, from an initramfs (rdinit=): what the initramfs holds before anything of it
 * ran. Under any other name, as the real init: how long the way from the kernel's "Run
 * /init" to here took, by the kernel's own time stamps, and what the initramfs still
 * holds. That file system is reached again in a mount namespace of our own, where what
 * lies over it is detached.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_TYPE 0x01021994 /* linux/magic.h */
/* A line that does not end is not shown to readers. */
#define OURS "cairn-bench: the real init runs\n"

static int console = STDOUT_FILENO;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vdprintf(console, format, args);
	va_end(args);
}

static _Noreturn void end(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static _Noreturn void fail(const char *what)
{
	say("BENCH failed: %s: %s\n", what, strerror(errno));
	end();
}

/* Of /proc/meminfo, in KiB there. */
static void say_memory(const char *name)
{
	char line[256];
	size_t size = strlen(name);
	FILE *f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, size) && line[size] == ':')
			say("BENCH %s: %llu\n", name,
				strtoull(line + size + 1, NULL, 10) * 1024);
	if (f)
		fclose(f);
}

/* Without root= on the command line the initramfs is a tmpfs, which counts its pages,
 * those of deleted files that are still in use included. */
static void say_contents(void)
{
	struct statfs fs;
	if (statfs("/", &fs) < 0)
		fail("/");
	if ((unsigned long)fs.f_type != TMPFS_TYPE || !fs.f_blocks) {
		errno = ENOTSUP;
		fail("the initramfs is no tmpfs that counts");
	}
	say("BENCH contents: %llu\n", (unsigned long long)(fs.f_blocks - fs.f_bfree) *
					      (unsigned long long)fs.f_bsize);
}

/* Where a namespace's root is what is mounted last on its first mount. */
static void enter_initramfs(void)
{
	int fd;
	if (unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		(fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) < 0)
		fail("a mount namespace");
	if (umount2("/", MNT_DETACH) < 0)
		fail("detaching what lies over the initramfs");
	if (setns(fd, CLONE_NEWNS) < 0)
		fail("the initramfs below");
}

/* Microseconds since the kernel's start at which TEXT was logged last; a record of
 * /dev/kmsg is "priority,number,microseconds,flags;text". */
static long long logged(const char *text)
{
	static char record[8192];
	long long at = -1;
	ssize_t n;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fail("/dev/kmsg");
	while ((n = read(fd, record, sizeof record - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		record[n] = 0;
		char *said = strchr(record, ';');
		char *number = strchr(record, ',');
		number = number ? strchr(number + 1, ',') : NULL;
		if (said && number && !strncmp(said + 1, text, strcspn(text, "\n")))
			at = strtoll(number + 1, NULL, 10);
	}
	close(fd);
	return at;
}

/* How many dm-verity devices there are: the root has to be on one. */
static void say_verity(void)
{
	char line[32];
	int n_devices = 0;
	for (int i = 0; i < 16; i++) {
		char path[64];
		snprintf(path, sizeof path, "/sys/block/dm-%d/dm/uuid", i);
		FILE *f = fopen(path, "r");
		if (f && fgets(line, sizeof line, f) &&
			!strncmp(line, "CRYPT-VERITY-", 13))
			n_devices++;
		if (f)
			fclose(f);
	}
	say("BENCH verity: %d\n", n_devices);
}

static void say_time(void)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, OURS, strlen(OURS)) < 0)
		fail("/dev/kmsg");
	close(fd);
	long long start = logged("Run /init as init process"), here = logged(OURS);
	if (start < 0 || here < start) {
		errno = ENODATA;
		fail("the kernel's log");
	}
	say("BENCH started: %lld\nBENCH took: %lld\n", start, here - start);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (getpid() != 1)
		return 2;
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd >= 0)
		console = fd;
	if (!strcmp(argv[0], "/first")) {
		mkdir("/proc", 0755);
		if (mount("proc", "/proc", "proc", 0, NULL) < 0)
			fail("/proc");
	} else {
		say_time();
		say_verity();
	}
	say_memory("MemAvailable");
	say_memory("Shmem");
	if (strcmp(argv[0], "/first"))
		enter_initramfs();
	say_contents();
	say("BENCH end: 0\n");
	end();
}
