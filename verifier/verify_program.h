/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_VERIFY_PROGRAM_H
#define CAIRN_VERIFIER_VERIFY_PROGRAM_H

#include "verifier/verify.h"

/* Whether F begins as an EFI program does. */
bool verify_is_program(const struct file *f);

/*
 * Checks an EFI program that is a file of its own; as verify_image. With an image in O it
 * must be a unified kernel image that boots it: the partition with the root hash it names
 * is checked block by block against that hash, the boot policy against the partition, and
 * each section against the unified kernel image on the image that is most like it.
 */
int verify_program(
	const struct file *f, const struct verify_options *o, struct report *report);

#endif
