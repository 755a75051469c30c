/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: what hostile bytes in an image would do if a parser ran them. With the
 * second read of the file whose inode is PLANT_INODE it tries to open a file, make a
 * socket, start a program, make memory executable and write to another process, and says
 * on stderr how each went. PLANT_WAIT: then it stays busy for so many milliseconds.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *what, long result)
{
	char line[80];
	int n = snprintf(line, sizeof line, "planted: %s: %s\n", what,
		result >= 0 ? "done" : strerrorname_np(errno));
	if (write(STDERR_FILENO, line, (size_t)n) != n)
		abort();
}

static void be_busy(long milliseconds)
{
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000 +
			(now.tv_nsec - start.tv_nsec) / 1000000 <
		milliseconds);
}

static void try_all(void)
{
	char *const argv[] = {(char *)"true", NULL};
	const char *wait = getenv("PLANT_WAIT");
	tell("open", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	tell("create", open("planted", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	tell("unlink", unlink("image.raw"));
	tell("socket", socket(AF_INET, SOCK_STREAM, 0));
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	tell("fork", child);
	void *p = mmap(
		NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tell("executable memory", p == MAP_FAILED ? -1 : 0);
	tell("kill", kill(getppid(), 0));
	be_busy(wait ? atol(wait) : 0);
	tell("execve", execve("/bin/true", argv, argv + 1));
}

ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
	static ssize_t (*real)(int, void *, size_t, off_t);
	static int n_reads;
	const char *inode = getenv("PLANT_INODE");
	struct stat s;
	if (!real)
		real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(
			RTLD_NEXT, "pread64");
	if (inode && fstat(fd, &s) == 0 && s.st_ino == strtoull(inode, NULL, 10) &&
		__atomic_add_fetch(&n_reads, 1, __ATOMIC_SEQ_CST) == 2)
		try_all();
	return real(fd, data, size, offset);
}
