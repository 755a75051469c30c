/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_TRUST_H
#define CAIRN_INITRD_TRUST_H

#include "initrd/compose/anchors.h"
#include "initrd/compose/rollback.h"
#include "initrd/plan/policy.h"

/*
 * Whom this boot trusts. For the root that is who lies in the initrd itself, in the
 * places a verified base has them (initrd/compose/anchors.h), as the UKI's signature
 * covers it.
 */
struct trust {
	struct anchors anchors;    /* of the initrd; empty unless the policy asks */
	struct signer_id root;     /* pin is NULL: no signature was checked here */
	enum rollback_state state; /* of the floor in the TPM */
	uint64_t floor;
};

/* Reads the signers, if the policy requires the root to be signed. */
int trust_read(struct trust *t, const struct policy *p);

/*
 * Whether PARTITION is a signature of the policy's root hash by one of them. STATUS_TRUST
 * if not; NAME is for the message.
 */
int trust_check_root(
	struct trust *t, const struct policy *p, const char *name, struct span partition);

/*
 * Reads the floor of epochs from the TPM, waiting a little for one that the firmware
 * announces, and compares the image's epoch. STATUS_TRUST if that is below it, or if the
 * policy wants a floor and there is none. What is not protected is noted.
 */
int trust_check_floor(struct trust *t, const struct policy *p);

/*
 * Whether the os-release file below the directory USR_FD, /usr of the mounted image,
 * states the epoch that the policy was made for.
 */
int trust_check_epoch(const struct policy *p, int usr_fd);

/* Leaves the certificate that was used in /run/cairn, which must be there. */
int trust_save(const struct trust *t);

#endif
