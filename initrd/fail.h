/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_FAIL_H
#define CAIRN_INITRD_FAIL_H

#include "initrd/plan/policy.h"

/*
 * How a boot ends that must not go on: one line on the console, then the policy's action.
 * Until the policy is known that is power-off. Nothing here returns to the boot.
 */

/* Opens /dev/kmsg (once /dev is there) and takes over the signals of a crash. */
void fail_prepare(void);

void fail_action(enum policy_failure action);

/* "cairn: boot stopped: SENTENCE", and the action. */
_Noreturn void fail_now(const char *sentence);

/*
 * A process of its own that ends the boot after SECONDS, also when the init hangs in a
 * system call. fail_unwatch must come before the real init.
 */
int fail_watch(unsigned seconds);
void fail_unwatch(void);

/* A line for the kernel's log; on the console too unless `quiet`. */
void note(const char *format, ...) ERROR_PRINTF(1, 2);

/* Milliseconds since the kernel started. */
uint64_t now_ms(void);

#endif
