/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_MODULES_H
#define CAIRN_INITRD_MODULES_H

#include <stddef.h>

#include "core/error.h"

/* The kernel modules of this initrd (initrd/plan/drivers.h). */

/* Reads the list and loads what is always loaded; any that fails ends the boot. */
int modules_start(void);

/* Loads what is packed for ALIAS, once. What fails is noted. */
int modules_load_for(const char *alias);

/*
 * Looks for the modalias of every device in sysfs and loads the drivers packed for it,
 * until no new device appears. A driver that refuses is noted, and not tried again.
 * Returns 0, or 1 if anything was loaded, or a negative errno.
 */
int modules_walk(void);

/* How many were tried, in that order, and their file names: valid for good. */
size_t modules_count(void);
const char *modules_name(size_t i);

#endif
