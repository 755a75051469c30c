/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MAPPER_H
#define CAIRN_COMPOSE_MAPPER_H

#include <stdint.h>

#include "core/error.h"

/* A read-only device of device-mapper, made by ioctl (linux/dm-ioctl.h). */
struct mapper {
	char name[32];
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

#endif
