/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_BOOTABLE_H
#define CAIRN_CLI_BOOTABLE_H

#include "core/file.h"

/* What a direct kernel boot needs, taken out of a unified kernel image. */
struct bootable {
	struct file kernel;    /* in memory */
	struct file initrd;    /* in memory; closed if the UKI has none */
	struct buffer cmdline; /* without the end of line */
	struct buffer origin;  /* "IMAGE:/EFI/Linux/NAME.efi", for messages */
};

#define BOOTABLE_EMPTY ((struct bootable){.kernel = FILE_CLOSED, .initrd = FILE_CLOSED})
#define AUTO_BOOTABLE  __attribute__((cleanup(bootable_free))) struct bootable

/* Where to take it from: the first of KERNEL, UKI, IMAGE that is there. */
struct bootable_source {
	const char *path;         /* of the image */
	const struct file *image; /* open */
	bool qcow2;               /* its format; then SIZE is what it unpacks to, bytes */
	uint64_t size;
	const char *kernel, *initrd; /* files; NULL: none */
	const char *uki;             /* a file; NULL: the image's own */
};

/*
 * From SOURCE; an image without an EFI system partition may have the UKI in a file beside
 * it, "os.efi" for "os.raw".
 */
int bootable_load(struct bootable *b, const struct bootable_source *source);

/* The PCR 11 that the UKI of the disk image F gives when it boots, and nothing else. */
int bootable_pcr11(const struct file *f, uint8_t pcr[32]);

/*
 * From the EFI system partition of the disk image F: the UKI in /EFI/Linux whose name is
 * the highest version (boot counters left aside), as the boot loader would choose, else
 * /EFI/BOOT/BOOTX64.EFI. Returns 0; 1 if the image has no such partition; -EINVAL,
 * STATUS_FORMAT, if it has but nothing in it can be booted.
 */
int bootable_from_image(struct bootable *b, const struct file *f);

/* From the UKI in the file PATH. */
int bootable_from_uki(struct bootable *b, const char *path);

void bootable_free(struct bootable *b);

#endif
