/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_BOOT_H
#define CAIRN_VERIFIER_BOOT_H

#include "verifier/payload.h"

/*
 * The checks of what boots: every EFI program of every EFI system partition against the
 * pinned certificates, and the command line inside each UKI against the root hashes of
 * the image. N_PAYLOADS may be 0.
 */
void boot_check(const struct disk *disk, const struct payload *payloads,
	size_t n_payloads, const struct verify_options *o, struct report *report);

#endif
