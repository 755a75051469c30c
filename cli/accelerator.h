/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_ACCELERATOR_H
#define CAIRN_CLI_ACCELERATOR_H

#include "cli/qemu.h"

/*
 * Whether kvm boots KERNEL here. That /dev/kvm opens proves nothing (under PVM it opens
 * and no kernel boots), so KERNEL is started once with a tiny init and given 8 seconds.
 * The answer is kept below $XDG_CACHE_HOME/cairn or ~/.cache/cairn, for this kernel,
 * QEMU and host kernel. TCG without a question where KERNEL is NULL.
 */
int accelerator_choose(const struct file *kernel, enum accel *accel);

#endif
