/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_BASE_H
#define CAIRN_INITRD_BASE_H

#include <stdbool.h>

#include "initrd/trust.h"

/* The verified root (or /usr) device. */
struct base {
	char node[32];           /* "/dev/dm-0" */
	char disk[64];           /* "/dev/vda" */
	char data[40], hash[40]; /* the partitions' names */
	const char
		*signature; /* "none", "kernel" (it checked it), "no key" (it has none) */
	char boot_partition[37]; /* that the boot loader named, or "" */
	uint64_t found_ms;       /* since the kernel started */
};

/*
 * Waits, at most policy.wait_s, for the two partitions, loading drivers as devices
 * appear, and sets up dm-verity over the first pair whose tree leads from the root hash
 * to the first and last data block. A pair that does not verify is passed over while
 * another may still appear, but is the reason that is given in the end. Where the policy
 * requires it, the root hash's signature is checked (initrd/trust.h) before dm-verity is.
 */
int base_open(struct base *base, const struct policy *policy, struct trust *trust);

#endif
