/* SPDX-License-Identifier: MIT */
/*
 * readers N DIRECTORY PROGRAM: N processes that look at a directory which is being
 * replaced, without a pause until SIGTERM: open, stat and read DIRECTORY/version and
 * DIRECTORY/again, which say the same in each version, and run PROGRAM, which says it
 * too. At the end one line: what was done, how much of it failed, how often each version
 * was seen, and how often one look saw a mixture.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS_MAX 16
#define EXEC_EVERY  32 /* looks: starting a program takes much longer than a look */

struct counts {
	unsigned long opens, execs, failed, mixed, seen[2];
};

static volatile sig_atomic_t ended;
static const char *directory, *program;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void failed(struct counts *c, const char *what)
{
	if (!c->failed++)
		printf("MARKER reader: %s: %s\n", what, strerror(errno));
}

/* A version file is 64 KiB of one letter, '1' or '2'. 0: it could not be read. */
static int look(struct counts *c, const char *name)
{
	static char data[65536];
	char path[256];
	struct stat st;
	size_t done = 0;
	snprintf(path, sizeof path, "%s/%s", directory, name);
	c->opens++;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || stat(path, &st) < 0) {
		failed(c, path);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (ssize_t n = 1; n > 0 && done<sizeof data; done += n> 0 ? (size_t)n : 0)
		if ((n = read(fd, data + done, sizeof data - done)) < 0)
			failed(c, path);
	close(fd);
	if (done != sizeof data || (size_t)st.st_size != sizeof data)
		failed(c, "short file");
	for (size_t i = 1; i < done; i++)
		if (data[i] != data[0]) {
			c->mixed++;
			break;
		}
	return done ? data[0] : 0;
}

static void run(struct counts *c)
{
	int status = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	c->execs++;
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
		(WEXITSTATUS(status) != '1' && WEXITSTATUS(status) != '2'))
		failed(c, program);
}

static void read_on(struct counts *c)
{
	for (unsigned long i = 0; !ended; i++) {
		/* Between the two the composition may change: only one file is one look.
		 */
		int version = look(c, i % 2 ? "version" : "again");
		if (version)
			c->seen[version == '2']++;
		if (i % EXEC_EVERY == 0)
			run(c);
	}
}

/* The last byte of this program's file. */
static int say_version(void)
{
	char c = 0;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return lseek(fd, -1, SEEK_END) > 0 && read(fd, &c, 1) == 1 ? c : 0;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return say_version();
	int n = argc == 4 ? atoi(argv[1]) : 0;
	if (n < 1 || n > READERS_MAX)
		return 2;
	directory = argv[2];
	program = argv[3];
	struct counts *c = mmap(NULL, READERS_MAX * sizeof *c, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct counts all = {0};
	pid_t pids[READERS_MAX];
	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGTERM, end);
	for (int i = 0; i < n; i++)
		if ((pids[i] = fork()) == 0) {
			read_on(&c[i]);
			_exit(0);
		}
	while (!ended)
		pause();
	for (int i = 0; i < n; i++) {
		kill(pids[i], SIGTERM);
		waitpid(pids[i], NULL, 0);
		all.opens += c[i].opens;
		all.execs += c[i].execs;
		all.failed += c[i].failed;
		all.mixed += c[i].mixed;
		all.seen[0] += c[i].seen[0];
		all.seen[1] += c[i].seen[1];
	}
	printf("MARKER readers: %lu opens, %lu runs, %lu failed, %lu mixed, seen %lu and "
	       "%lu\n",
		all.opens, all.execs, all.failed, all.mixed, all.seen[0], all.seen[1]);
	return 0;
}
