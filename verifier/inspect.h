/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_INSPECT_H
#define CAIRN_VERIFIER_INSPECT_H

#include "core/file.h"
#include "core/json.h"
#include "core/pe.h"

/*
 * What is inside an image: claims, read and laid out, not verified (that is verify.h).
 * Nothing is mounted.
 */
struct inspect_options {
	/* Predicts PCR 11 of a UKI; from the builder, which is not below us. NULL: left
	 * out. */
	int (*pcr11)(const struct pe *uki, uint8_t pcr[32]);
};

/*
 * Describes F in *DOCUMENT, which the caller puts; its members are in
 * docs/verify-json.md. Parts that make no sense have a member "fault" instead of their
 * contents. Fails only if there is no usable partition table, or F cannot be read.
 */
int inspect_image(
	const struct file *f, const struct inspect_options *o, json_object **document);

#endif
