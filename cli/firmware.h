/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_FIRMWARE_H
#define CAIRN_CLI_FIRMWARE_H

#include <stdbool.h>

#include "core/file.h"

/* UEFI firmware for a virtual machine: OVMF, as the distribution ships it. */
struct firmware {
	char *code;       /* path of the program; owned */
	struct file vars; /* its variables: as shipped, or in memory with our keys */
	bool secure;      /* Secure Boot is on */
};

#define FIRMWARE_NONE ((struct firmware){.vars = FILE_CLOSED})
#define AUTO_FIRMWARE __attribute__((cleanup(firmware_free))) struct firmware

/*
 * Finds firmware. With CERTIFICATE (a file; NULL: none) it is one with Secure Boot on,
 * whose platform key, key exchange key and signature database hold that certificate and
 * no other; virt-fw-vars puts them into a copy of the variables.
 */
int firmware_find(struct firmware *f, const char *certificate);
void firmware_free(struct firmware *f);

#endif
