/* SPDX-License-Identifier: MIT */
#include "core/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/error.h"

static volatile sig_atomic_t caught;

static void note(int signal_number)
{
	caught = signal_number;
}

void interrupt_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = note};
	sigemptyset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct sigaction old;
		/* What was ignored from the start (nohup) stays so. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

int interrupt_check(void)
{
	int n = caught;
	if (n == 0)
		return 0;
	return error_set((enum status)(128 + n), EINTR, "interrupted (%s)", strsignal(n));
}
