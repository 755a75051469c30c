/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_CONSOLE_H
#define CAIRN_CLI_CONSOLE_H

#include <regex.h>
#include <stdbool.h>

#include "core/process.h"

/*
 * The serial line of a machine that runs: what the guest says goes to stdout and is
 * searched line by line, what comes on stdin goes to the guest.
 */
struct console {
	struct child *guest; /* started with its stdout captured; finished by the call */
	const char *name;    /* of the image, for messages */
	int input;           /* the guest's serial input, written here; -1: none */
	const regex_t *expect; /* NULL: wait for the guest's end */
	const char *pattern;   /* the text of it, for messages */
	bool firmware;         /* it may say that it found nothing to boot */
	int timeout_ms;        /* -1: none */
};

/*
 * Passes bytes until the line that was expected was seen, the guest ends, the time is
 * over, Ctrl-] was typed on a terminal or a signal came. In all cases the guest is gone
 * afterwards and the terminal is what it was. Returns
 *   0        the line was seen; or none was asked for, and the guest powered off or was
 *            ended by Ctrl-];
 *   128 + N  signal N came;
 *   negative STATUS_FAILED: it ended without that line, panicked, or found nothing to
 *            boot; STATUS_TRUST: because Secure Boot refused it; STATUS_TIMEOUT.
 */
int console_run(struct console *c);

#endif
