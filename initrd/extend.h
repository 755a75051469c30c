/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_EXTEND_H
#define CAIRN_INITRD_EXTEND_H

#include "initrd/plan/policy.h"

/*
 * Composes what the policy wants over ROOT, the root that is put together, before
 * anything of it runs: verified extensions of /usr, /opt and /etc, and the writable layer
 * of /etc. Without extensions=yes none is looked for. N_EXTENSIONS is how many there are.
 * An extension that is refused stops the boot: what was put there to close a hole must
 * not be left out by whoever can spoil it.
 */
int extend_root(const struct policy *policy, const char *root, unsigned *n_extensions);

#endif
