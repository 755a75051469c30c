/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_CMDLINE_H
#define CAIRN_INITRD_PLAN_CMDLINE_H

#include "initrd/plan/policy.h"

/*
 * Compares the kernel's command line (LINE, the contents of /proc/cmdline) with the
 * policy's words. Whoever could change the one but not the other must get nowhere:
 *   - exactly one roothash= or usrhash=, the policy's;
 *   - every word of the policy is there, as often as in the policy;
 *   - a word beyond those must be on the short list of harmless ones (console=, quiet,
 *     loglevel=, ...: cmdline.c), or, if the policy says cmdline=open, anything but
 *     cairn.*, init= and rdinit=.
 * Returns 0 or STATUS_TRUST with a sentence that names the word.
 */
int cmdline_check(const struct policy *p, struct span line);

/* True for a word that may always be added: it changes what is shown, not what is run. */
bool cmdline_harmless(const char *word);

#endif
