/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_DPS_H
#define CAIRN_CORE_DPS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Partition types of the Discoverable Partitions Specification (UAPI.2). Free of
 * anything but libc: the static init uses it too.
 */

enum dps_role {
	DPS_ROOT,
	DPS_USR,
	DPS_ROOT_VERITY,
	DPS_USR_VERITY,
	DPS_ROOT_SIG,
	DPS_USR_SIG,
	DPS_ESP,
	DPS_XBOOTLDR,
	DPS_OTHER, /* swap, home, srv, ...: named, and of no interest to us */
};

struct dps_type {
	const char *uuid; /* lower case, as RFC 9562 prints it */
	enum dps_role role;
	const char *architecture; /* "x86-64"...; NULL if the type has none */
	const char *name;         /* "root-x86-64-verity-sig", as systemd names it */
};

/* The type with that UUID (RFC order, core/hex.h), or NULL if it is none of these. */
const struct dps_type *dps_by_uuid(const uint8_t uuid[16]);

/* The first type with ROLE for ARCHITECTURE (ignored where the role has none), or NULL.
 */
const struct dps_type *dps_find(enum dps_role role, const char *architecture);

/*
 * Whether NAME is that type's, in full ("root-x86-64-verity") or without its architecture
 * ("root-verity"); and the first type that is called so, or NULL.
 */
bool dps_is_named(const struct dps_type *type, const char *name);
const struct dps_type *dps_by_name(const char *name);

/* The name of the architecture this was compiled for. */
const char *dps_native(void);

#endif
