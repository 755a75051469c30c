/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_VERIFY_H
#define CAIRN_VERIFIER_VERIFY_H

#include "core/certificate.h"
#include "core/file.h"
#include "verifier/report.h"
#include "verifier/rules.h"

/*
 * Verification of a disk image: nothing is mounted, no privilege is needed, and what the
 * image says about itself is never what it is trusted by.
 */
struct verify_options {
	const char *root_hash;           /* lower-case hex that it must have; NULL: any */
	const struct certificates *pins; /* signers to trust; NULL: none were given */
	enum purpose purpose;            /* what they must be trusted for */
	bool no_signature;         /* the caller does without signatures, knowingly */
	struct span revoked;       /* a list that revoked_check found good, or empty */
	bool has_floor;            /* the caller says what epochs are too old: */
	unsigned epoch_floor;      /* those below this */
	const struct rules *rules; /* what else is demanded; NULL: nothing */
	const struct file
		*manifest; /* the image's manifest, for rules about packages, or NULL
			    */
	const struct file
		*image; /* the disk image that an EFI program must boot, or NULL */
	/*
	 * The hash area of a data file that is no disk image, where it is not directly
	 * behind a file system: in this file (NULL: in the data file) at this offset.
	 */
	const struct file *hash_file;
	uint64_t hash_offset; /* bytes */
	bool has_hash_offset;
	unsigned jobs; /* threads; 0: one per processor */
};

/*
 * Checks all of F: a disk image, data with a hash tree, a blobfs image, or an EFI
 * program. Adds what it finds to REPORT; faults do not make it fail. A check that could
 * not run (no certificate to check a signature against, unless NO_SIGNATURE) is a fault
 * of status 7. Negative only if the verification itself could not be done, and with
 * an `image` for what is no EFI program.
 */
int verify_image(
	const struct file *f, const struct verify_options *o, struct report *report);

#endif
