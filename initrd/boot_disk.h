/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_BOOT_DISK_H
#define CAIRN_INITRD_BOOT_DISK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the boot loader said which partition the firmware started it from: UUID is that
 * partition's, in RFC order. False without UEFI; a variable that cannot be read is noted.
 */
bool boot_disk_read(uint8_t uuid[16]);

#endif
