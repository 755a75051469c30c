/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_BOOT_RUN_H
#define CAIRN_CLI_BOOT_RUN_H

#include <regex.h>

#include "cli/qemu.h"

/* A boot of an image in a virtual machine, as `cairn boot` does it. */

struct boot_options {
	const char *image, *kernel, *initrd, *uki, *expect, *accel;
	const char *secure_boot; /* certificate to enrol; NULL: no Secure Boot */
	const char *collect;     /* file for what the guest gives; NULL: none */
	const char *extensions[QEMU_MAX_EXTENSIONS];
	size_t n_extensions;
	struct buffer append; /* all of them, with spaces between */
	unsigned memory, n_cpus;
	unsigned timeout; /* seconds; 0: none given */
	bool uefi, snapshot, dry_run, tpm;
};

/*
 * Boots, with the console on standard input and output, until it ends or says what
 * matches REGEX (compiled from O->expect, where there is one). 0, 128 + N, or an error as
 * console_run has them; nothing is left running or behind in any case.
 */
int boot_run(const struct boot_options *o, const regex_t *regex);

#endif
