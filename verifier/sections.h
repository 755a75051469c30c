/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_SECTIONS_H
#define CAIRN_VERIFIER_SECTIONS_H

#include "core/pe.h"
#include "verifier/disk.h"
#include "verifier/report.h"

/*
 * Holds the unified kernel image PE against the one on the EFI system partitions of DISK
 * that is most like it, section by section: one that differs is a fault of
 * STATUS_CONTENT, at PLACE. A signature may differ, as each of them is checked by itself.
 */
void sections_check(const struct disk *disk, const struct pe *pe,
	const struct place *place, struct report *report);

#endif
