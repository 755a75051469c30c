/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_INSPECT_PROGRAM_H
#define CAIRN_VERIFIER_INSPECT_PROGRAM_H

#include "verifier/boot_files.h"
#include "verifier/inspect.h"

/* The parts of an inspection that have to do with EFI programs and their signers. */

/* Adds to O what FILE of FAT is, if it is a sound EFI program, else "fault". */
void inspect_program(json_object *o, const struct fat *fat, const struct boot_file *file,
	const struct inspect_options *options);

/* Adds "issuer" and "serial" of the first signer of a PKCS#7 in DER; nothing if none. */
void inspect_signer(json_object *o, struct span pkcs7);

#endif
