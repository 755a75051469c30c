/* SPDX-License-Identifier: MIT */
#include "core/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

void program_begin(void)
{
	/* In ascending order: the lowest number that is free is the one that open gives.
	 */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(STATUS_FAILED);
	/* A reader that closes early is an error to report, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
}

static void tell(const char *name, int r)
{
	fprintf(stderr, "%s: %s\n", name, *error_text() ? error_text() : strerror(-r));
}

int program_end(const char *name, int r)
{
	/* The cause is known only if it is the last piece that could not be written. */
	errno = 0;
	bool lost = fflush(stdout) != 0 || ferror(stdout);
	if (r < 0) {
		tell(name, r);
		return (int)error_status();
	}
	if (!lost)
		return r;
	tell(name,
		errno ? error_errno("cannot write to standard output")
		      : error_set(STATUS_FAILED, EIO, "cannot write to standard output"));
	return (int)status_worse((enum status)r, STATUS_FAILED);
}
