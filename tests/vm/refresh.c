/* SPDX-License-Identifier: MIT */
/*
 * `cairn extension refresh --class sysext` as PID 1 has it: the same library, static and
 * small, so that an emulated guest can do it a hundred times.
 *   refresh               once
 *   refresh turns N LINK  N times, each in a process of its own, with LINK pointing to
 *                         /images/v1 and /images/v2 in turn; says how long it takes
 *   refresh kills N LINK  the same, with each process killed at a random moment; what is
 *                         composed then must be one of the two, in whole
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "initrd/compose/compose.h"

static int refresh(void)
{
	static struct compose_report report;
	struct compose_options o = {.root = "/",
		.run = "/run/cairn",
		.class = CLASS_SYSEXT,
		.lock_ms = 30000};
	int r = compose_refresh(&o, &report);
	if (r < 0)
		fprintf(stderr, "refresh: %s\n", error_text());
	compose_report_free(&report);
	return r < 0 ? (int)error_status() : 0;
}

/* One letter of 64 KiB, twice (tests/vm/readers.c); 0 if it is anything else. */
static int version(void)
{
	static const char *const names[] = {
		"/usr/share/it/version", "/usr/share/it/again"};
	static char data[65537];
	int first = 0;
	for (int k = 0; k < 2; k++) {
		FILE *f = fopen(names[k], "r");
		size_t n = f ? fread(data, 1, sizeof data, f) : 0;
		if (f)
			fclose(f);
		if (n != 65536 || (first && data[0] != first))
			return 0;
		first = data[0];
		for (size_t i = 0; i < n; i++)
			if (data[i] != first)
				return 0;
	}
	return first;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A refresh to the other version, killed after LIMIT seconds if that is not 0. */
static int turn(const char *link, double limit, int *status)
{
	char target[32], new[256];
	snprintf(target, sizeof target, "/images/v%c", version() == '1' ? '2' : '1');
	snprintf(new, sizeof new, "%s.new", link);
	if (symlink(target, new) < 0 || rename(new, link) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(refresh());
	if (limit > 0) {
		usleep((useconds_t)(limit * 1e6));
		kill(pid, SIGKILL);
	}
	return pid < 0 || waitpid(pid, status, 0) < 0 ? -1 : 0;
}

static int turns(unsigned n, const char *link)
{
	double start = now(), longest = 0;
	int status;
	for (unsigned i = 0; i < n; i++) {
		double before = now();
		if (turn(link, 0, &status) < 0 || status != 0)
			return 1;
		if (now() - before > longest)
			longest = now() - before;
	}
	printf("MARKER refreshes: %u, %.0f ms each, %.0f ms at most\n", n,
		(now() - start) * 1000 / n, longest * 1000);
	return 0;
}

static int kills(unsigned n, const char *link)
{
	unsigned late = 0, switched = 0;
	int status;
	double usual = 60;
	for (int i = 0; i < 4; i++) {
		double before = now();
		if (turn(link, 0, &status) < 0 || status != 0)
			return 1;
		if (now() - before < usual)
			usual = now() - before;
	}
	srand(1);
	for (unsigned i = 0; i < n; i++) {
		int old = version();
		double limit = usual * 1.1 * (rand() % 1000 + 1) / 1000;
		if (turn(link, limit, &status) < 0 || !version()) {
			printf("MARKER kill %u after %.1f ms: not whole\n", i,
				limit * 1000);
			return 1;
		}
		late += !WIFSIGNALED(status);
		switched += version() != old;
	}
	printf("MARKER kills: %u within %.0f ms, of them %u too late; %u found the new "
	       "version\n",
		n, usual * 1100, late, switched);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	if (argc == 1)
		return refresh();
	if (n && !strcmp(argv[1], "turns"))
		return turns(n, argv[3]);
	return n && !strcmp(argv[1], "kills") ? kills(n, argv[3]) : 2;
}
