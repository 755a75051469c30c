/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_BOOT_POLICY_H
#define CAIRN_VERIFIER_BOOT_POLICY_H

#include "initrd/plan/policy.h"

/*
 * Finds the boot policy (initrd/plan/policy.h) in the cpio archive INITRD, compressed or
 * not, and parses it. NAME is for messages.
 * Returns 0; 1 if there is none; -EINVAL, STATUS_FORMAT, for a malformed archive or
 * policy, for one that is there twice, and for one that another archive behind it could
 * replace.
 */
int boot_policy_read(struct policy *policy, struct span initrd, const char *name);

#endif
