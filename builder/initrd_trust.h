/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_INITRD_TRUST_H
#define CAIRN_BUILDER_INITRD_TRUST_H

#include "core/pin.h"

/*
 * Whom an initrd trusts for the root, where its policy says cairn.require-signature=root
 * (initrd/compose/anchors.h). Zeroed it is nobody.
 */
struct initrd_trust {
	struct pin *pins;
	size_t n_pins;
	struct buffer revoked; /* text: initrd/compose/revoked.h */
};

/*
 * Adds the certificate in the file PATH, PEM or DER. What the init would refuse is
 * refused here: STATUS_TRUST if it is too weak or for another purpose, else
 * STATUS_FORMAT.
 */
int initrd_trust_add(struct initrd_trust *t, const char *path);

/* Takes the list of revocations in the file PATH; STATUS_FORMAT if it is none. */
int initrd_trust_revoke(struct initrd_trust *t, const char *path);

void initrd_trust_free(struct initrd_trust *t);

#endif
