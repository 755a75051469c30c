/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_LOADER_H
#define CAIRN_INITRD_PLAN_LOADER_H

#include <stdbool.h>

#include "core/span.h"

/*
 * The EFI variable in which the boot loader, or the stub of the UKI, says which partition
 * it was started from (systemd, The Boot Loader Interface), as efivarfs names it.
 */
#define LOADER_PARTITION "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

/*
 * Reads that variable's contents as efivarfs gives them: four bytes of attributes, and a
 * UUID as text in UTF-16, with or without its NUL. Returns false if VARIABLE is anything
 * else. Whoever can write EFI variables chooses what it says: it must decide nothing but
 * the order in which disks are looked at. UUID gets RFC order.
 */
bool loader_partition(struct span variable, uint8_t uuid[16]);

#endif
