/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_BOOT_PROGRAM_H
#define CAIRN_VERIFIER_BOOT_PROGRAM_H

#include "verifier/boot_files.h"
#include "verifier/payload.h"

/* One EFI program, and what else is at hand that it must agree with. */
struct boot {
	const struct disk *disk; /* NULL if `alone` */
	const struct payload *payloads;
	size_t n_payloads;
	const struct verify_options *o;
	struct report *report;
	struct place esp; /* the EFI system partition that is looked at */
	struct fat fat;   /* and its files */
	size_t n_ukis;    /* unified kernel images that were checked */
	bool alone;       /* a program without a disk */
	char named[65];   /* the root hash that the last command line named */
};

/*
 * Its checksum and signature; of a unified kernel image also command line, boot policy
 * and epoch, against the disk's sets, else against the root hash that was given.
 */
void boot_program_check(
	struct boot *b, const struct place *place, const struct program *p);

#endif
