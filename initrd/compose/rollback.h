/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_ROLLBACK_H
#define CAIRN_COMPOSE_ROLLBACK_H

#include "initrd/compose/tpm.h"

/*
 * The floor of epochs that a machine keeps: what is signed, but of an epoch below it, has
 * known holes and is refused. It is a counter in the TPM, and its value is the floor
 * (docs/trust.md says who can change it, and why only upwards).
 */
#define ROLLBACK_INDEX \
	0x0180ca1eu /* among those for owners (TCG's registry of handles) */

enum rollback_state {
	ROLLBACK_NO_TPM,
	ROLLBACK_NO_FLOOR, /* the counter was never made, or was deleted */
	ROLLBACK_FLOOR,
};

/* Why STATE protects nothing; NULL if it does. */
const char *rollback_reason(enum rollback_state state);

/*
 * Reads the floor from the TPM at DEVICE; it is 0 where there is none. A TPM that does
 * not answer, or an index that is not the counter rollback_raise makes, is an error.
 */
int rollback_read(const char *device, enum rollback_state *state, uint64_t *floor);

/*
 * Raises the floor to EPOCH (above 0), making the counter if there is none. One that is
 * higher already stays; it cannot be lowered. STATUS_FAILED where the TPM's new counters
 * start above EPOCH, which would lock the machine out; nothing is left then.
 */
int rollback_raise(const char *device, unsigned epoch);

#endif
