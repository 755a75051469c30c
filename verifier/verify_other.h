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

/* Checks it; as verify_image. */
int verify_other(
	const struct file *f, const struct verify_options *o, struct report *report);

#endif
