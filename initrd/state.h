/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_STATE_H
#define CAIRN_INITRD_STATE_H

#include "initrd/base.h"
#include "initrd/var.h"

/* When each step was done, in milliseconds since the kernel started. */
struct state_times {
	uint64_t start, policy, modules, found, mounted, composed;
};

/* One boot: what was wanted and what was found. */
struct state {
	struct policy policy;
	struct trust trust;
	struct base base;
	struct var var;
	unsigned n_extensions;
	struct state_times times;
};

/* Leaves what the init did in /run/cairn/state.json (docs/boot.md lists the members). */
int state_save(const struct state *s);

#endif
