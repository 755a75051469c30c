/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_KERNEL_H
#define CAIRN_BUILDER_KERNEL_H

#include "builder/tree.h"

/* The kernel that a tree brings along. */
struct kernel {
	char *release;            /* "6.12.48+deb13-cloud-amd64"; owned */
	const char *architecture; /* as the partition types call it: "x86-64", "arm64" */
	struct buffer image;      /* what the firmware or QEMU loads */
};

void kernel_free(struct kernel *k);
#define AUTO_KERNEL __attribute__((cleanup(kernel_free))) struct kernel

/*
 * Finds and reads the kernel: usr/lib/modules/RELEASE/vmlinuz or boot/vmlinuz-RELEASE, of
 * several releases the newest that has modules. Refused with STATUS_FORMAT: a tree
 * without one, and an image that firmware could not start (no EFI stub) or of another
 * architecture.
 */
int kernel_find(const struct tree *tree, struct kernel *k);

#endif
