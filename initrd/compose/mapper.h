/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MAPPER_H
#define CAIRN_COMPOSE_MAPPER_H

#include <stdint.h>

#include "core/error.h"

/* A read-only device of device-mapper, made by ioctl (linux/dm-ioctl.h). */
struct mapper {
	char name[64];
	char node[32]; /* "/dev/dm-0" */
};

/*
 * Makes the device NAME of SECTORS (512 bytes) with the parameters TABLE of the target
 * `verity`. UUID is device-mapper's own name for it. -ENOKEY (which the caller may
 * expect) if TABLE names a signature whose key is in no keyring; nothing is left then.
 */
int mapper_make(struct mapper *m, const char *name, const char *uuid, uint64_t sectors,
	const char *table);

/* Replaces the table of a device. */
int mapper_reload(const struct mapper *m, uint64_t sectors, const char *table);

int mapper_remove(const struct mapper *m);

/*
 * Finds the device that device-mapper knows as UUID, if its table is verity over the root
 * hash ROOT_HASH. Returns 1 with M filled, or 0 if there is none such.
 */
int mapper_find(struct mapper *m, const char *uuid, const char *root_hash);

/* Lets the device go as soon as nobody has it open any more. */
int mapper_release(const struct mapper *m);

/*
 * Removes the devices whose name starts with PREFIX and that nobody has open: what a
 * killed process left. Returns 0 with their number in *N.
 */
int mapper_reap(const char *prefix, unsigned *n);

#endif
