/* SPDX-License-Identifier: MIT */
#include "verifier/examine/servant.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool be_silent(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool silent = null >= 0;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		silent = silent && dup2(null, fd) == fd;
	return silent;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static bool close_others(int *keep, size_t n)
{
	unsigned from = STDERR_FILENO + 1;
	bool closed = true;
	qsort(keep, n, sizeof *keep, by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			closed = closed &&
				 close_range(from, (unsigned)keep[i] - 1, 0) == 0;
		from = (unsigned)keep[i] + 1;
	}
	return close_range(from, ~0U, 0) == 0 && closed;
}

bool servant_become(int parent, const char *name, int *keep, size_t n)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return false;
	prctl(PR_SET_NAME, name);
	/* The terminal's signals are for the examiner, who ends us when all is done. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return be_silent() && close_others(keep, n);
}
