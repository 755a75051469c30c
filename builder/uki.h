/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_UKI_H
#define CAIRN_BUILDER_UKI_H

#include "core/buffer.h"
#include "core/pe.h"

/*
 * A unified kernel image: systemd's EFI stub with kernel, initrd and command line as PE
 * sections (the UAPI group's UKI specification). Sign it with core/authenticode.h.
 */
struct uki {
	struct span stub;    /* linuxx64.efi.stub */
	struct span osrel;   /* os-release */
	struct span cmdline; /* without a newline or NUL at its end */
	struct span kernel;  /* a bzImage with an EFI stub */
	struct span initrd;
	struct span uname; /* the kernel's release; left out where the stub ignores it */
};

/* The version in the stub's .sdmagic section, 252 say; 0 if there is none. */
unsigned uki_stub_version(const struct pe *stub);

/*
 * Appends the unsigned UKI to IMAGE. The same parts give the same bytes. STATUS_FORMAT
 * if stub or kernel is none, an empty part, or a stub that has one of the sections.
 */
int uki_make(const struct uki *uki, struct buffer *image);

/*
 * The value of PCR 11 (SHA-256 bank) after this UKI's stub has measured its sections, and
 * nothing else has extended it.
 */
int uki_pcr11(const struct pe *uki, uint8_t pcr[32]);

#endif
