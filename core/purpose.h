/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PURPOSE_H
#define CAIRN_CORE_PURPOSE_H

#include "core/error.h"
#include "core/span.h"

/* What a key is for; each has an extended key usage of its own (docs/trust.md). */
enum purpose {
	PURPOSE_ROOT, /* root and /usr images and the UKIs that boot them */
	PURPOSE_SYSEXT,
	PURPOSE_CONFEXT,
	PURPOSE_GENERATION,
};
#define N_PURPOSES 4

/* "root", "sysext", "confext", "generation"; the OID in dotted decimals. */
const char *purpose_name(enum purpose purpose);
const char *purpose_oid(enum purpose purpose);

/* -EINVAL, STATUS_USAGE, for any other name. */
int purpose_by_name(const char *name, enum purpose *purpose);

/* The purpose whose OID has the contents OID in DER; -1 if it is none of ours. */
int purpose_by_der(struct span oid);

#endif
