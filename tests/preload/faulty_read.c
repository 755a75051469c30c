/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: makes reads of one file go wrong. FAULT_FILE is the file's last
 * component (or FAULT_INODE its number), FAULT_FROM the offset from which on (up to
 * FAULT_TO, if set); FAULT says how: eio      the read fails; shrink   the file is cut
 * off there before the first such read; write    a byte at the beginning is written to,
 * then; slow     every read takes 20 ms, or FAULT_USEC; short    it gives at most 1000
 * bytes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_meant(int fd, char path[4096])
{
	char link[40];
	const char *name = getenv("FAULT_FILE"), *inode = getenv("FAULT_INODE");
	struct stat s;
	/* For programs that may not look at /proc any more. */
	if (inode)
		return fstat(fd, &s) == 0 && s.st_ino == strtoull(inode, NULL, 10);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, 4095);
	if (n < 0 || !name)
		return 0;
	path[n] = 0;
	const char *last = strrchr(path, '/');
	return last && !strcmp(last + 1, name);
}

static void once(const char *fault, const char *path, off_t from)
{
	static int done;
	if (__atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST))
		return;
	if (!strcmp(fault, "shrink") && truncate(path, from) < 0)
		abort();
	if (!strcmp(fault, "write")) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || pwrite(fd, "x", 1, 0) != 1)
			abort();
		close(fd);
	}
}

ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
	static ssize_t (*real)(int, void *, size_t, off_t);
	char path[4096];
	const char *fault = getenv("FAULT"), *text = getenv("FAULT_FROM");
	const char *end = getenv("FAULT_TO"), *usec = getenv("FAULT_USEC");
	off_t from = text ? atoll(text) : 0;
	if (!real)
		real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(
			RTLD_NEXT, "pread64");
	if (fault && offset + (off_t)size > from && (!end || offset < atoll(end)) &&
		is_meant(fd, path)) {
		if (!strcmp(fault, "eio")) {
			errno = EIO;
			return -1;
		}
		if (!strcmp(fault, "slow"))
			usleep(usec ? (useconds_t)atoi(usec) : 20000);
		if (!strcmp(fault, "short") && size > 1000)
			size = 1000;
		once(fault, path, from);
	}
	return real(fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	return pread64(fd, data, size, offset);
}
