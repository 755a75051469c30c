/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_DRIVERS_H
#define CAIRN_INITRD_PLAN_DRIVERS_H

#include "core/error.h"
#include "core/span.h"

/*
 * Which kernel modules the initrd carries, and when each is loaded: lines of words,
 * written by the builder and read by the init.
 *     always FILE...          loaded at the start, in this order
 *     alias PATTERN           any number of these, of fnmatch(3), as in modules.alias;
 *     device FILE...          loaded in this order when a device's modalias is one of the
 *                             patterns above, back to the line before them
 * FILE is a name in DRIVERS_DIR.
 */
/* The alias of what reads the firmware's variables; no device has it. */
#define DRIVERS_EFIVARS "cairn:efivars"

#define DRIVERS_FILE     "etc/cairn/drivers"
#define DRIVERS_DIR      "lib/modules"
#define DRIVERS_MAX_SIZE (1 << 20)

/*
 * Calls LOAD for each file, in order, of the `always` lines (ALIAS NULL) or of the
 * `device` lines of which a pattern matches ALIAS. FILE ends with a NUL and lives as long
 * as the call. What LOAD returns below 0 ends it. STATUS_FORMAT for a line that is
 * neither.
 */
int drivers_match(struct span text, const char *alias,
	int (*load)(void *context, const char *file), void *context);

#endif
