/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_VERIFY_OTHER_H
#define CAIRN_VERIFIER_VERIFY_OTHER_H

#include "verifier/verify.h"

/* What cairn verify takes besides disk images. For verify_image only. */

/*
 * Whether F is a blobfs image, an EFI program, or data with a hash tree: one that the
 * options tell of, or directly behind a file system that F is.
 */
bool verify_is_other(const struct file *f, const struct verify_options *o);

/* A fault of status 7 for each check that O wants of what it cannot be made on. */
void verify_tell_unasked(
	const struct verify_options *o, const struct place *place, struct report *report);

/* Checks it; as verify_image. */
int verify_other(
	const struct file *f, const struct verify_options *o, struct report *report);

#endif
