/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_BOOT_FILES_H
#define CAIRN_VERIFIER_BOOT_FILES_H

#include "core/fat.h"
#include "core/pe.h"

/* What the firmware can find on a disk: the files of an EFI system partition. */

#define BOOT_FILES_MAX   4096 /* more of them, or deeper ones, are refused */
#define BOOT_FILES_DEPTH 8
#define BOOT_PROGRAM_MAX ((size_t)512 << 20) /* bytes */

struct boot_file {
	char *path; /* owned; "EFI/Linux/os.efi" */
	struct fat_entry entry;
};

struct boot_files {
	struct boot_file *items; /* owned; directories are not listed */
	size_t n_items;
};

#define AUTO_BOOT_FILES __attribute__((cleanup(boot_files_free))) struct boot_files

/* Lists all files of FAT. FILES must be zeroed, and freed also after a failure. */
int boot_files_list(struct boot_files *files, const struct fat *fat);
void boot_files_free(struct boot_files *files);

/* An EFI program, read into memory. */
struct program {
	struct buffer bytes; /* owned; PE points into it */
	struct pe pe;
	bool is_uki;         /* it has a kernel inside */
	struct span cmdline; /* of the UKI, without NULs and newlines at its end */
};

#define AUTO_PROGRAM __attribute__((cleanup(program_free))) struct program

/* Reads and parses FILE. STATUS_FORMAT if it is no sound EFI program. */
int program_read(struct program *p, const struct fat *fat, const struct boot_file *file);
/* The same for all of F. */
int program_read_file(struct program *p, const struct file *f);
void program_free(struct program *p);

#endif
