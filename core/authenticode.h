/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_AUTHENTICODE_H
#define CAIRN_CORE_AUTHENTICODE_H

#include "core/pe.h"
#include "core/signer.h"

/*
 * Authenticode signatures of EFI programs, for Secure Boot: Microsoft's "Windows
 * Authenticode Portable Executable Signature Format", SHA-256, without a signing time, so
 * that with an RSA key the same program gives the same bytes.
 */

/*
 * A signature makes a program longer by at most this many bytes. Space for it is set
 * aside on the ESP, so that signing later changes neither its size nor its layout.
 */
#define AUTHENTICODE_MAX_SIZE 16384

/*
 * Appends to SIGNED the program PE with a signature by SIGNER in place of any it has.
 */
int authenticode_sign(
	const struct pe *pe, const struct signer *signer, struct buffer *signed_program);

/* Appends what an offline signer signs for PE: the DER of the signed attributes. */
int authenticode_export(const struct pe *pe, struct buffer *to_be_signed);

/*
 * As authenticode_sign with RAW, the plain signature of the exported bytes by the holder
 * of the certificate's key. -EKEYREJECTED, STATUS_TRUST, if it is not that.
 */
int authenticode_attach(const struct pe *pe, const struct certificate *certificate,
	struct span raw, struct buffer *signed_program);

/*
 * Verifies the signatures of PE: one must be by a pinned certificate good for PURPOSE.
 * BY (may be NULL) is set to it; it belongs to PINS.
 * Returns 0; 1 if there is no signature; -EKEYREJECTED, STATUS_TRUST, if nobody pinned
 * signed these bytes; -EINVAL, STATUS_FORMAT, for a malformed one.
 */
int authenticode_verify(const struct pe *pe, const struct certificates *pins,
	enum purpose purpose, const struct certificate **by);

#endif
