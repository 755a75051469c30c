/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_STATE_H
#define CAIRN_INITRD_STATE_H

#include "initrd/base.h"

/* When each step was done, in milliseconds since the kernel started. */
struct state_times {
	uint64_t start, policy, modules, found, mounted;
};

/*
 * Leaves what the init did in /run/cairn/state.json (docs/boot.md lists the members), and
 * the certificate that was used beside it.
 */
int state_save(const struct policy *policy, const struct base *base,
	const struct trust *trust, const struct state_times *times);

#endif
