/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_VERIFY_STORE_H
#define CAIRN_VERIFIER_VERIFY_STORE_H

#include "verifier/store_list.h"
#include "verifier/verify.h"

/*
 * Verification of a directory of blobs, by two processes: one opens the blobs, one after
 * another, and looks at none; the other, confined, looks at them and opens nothing. A
 * socket (SOCK_SEQPACKET) is between them.
 */

/* Whether PATH is a directory with objects/ in it. */
bool verify_is_store(const char *path);

/*
 * Sends all blobs of LIST, and those that its refs name once more, over SOCKET. Ends
 * early, without an error, if nobody listens any more.
 */
int verify_store_feed(const struct store_list *list, const struct objects *o, int socket);

/*
 * Checks what comes from SOCKET: that each blob has the digest that it is named by, that
 * refs lead to blobs, and that all is there which trees (blobfs/names.h) name. As
 * verify_image.
 */
int verify_store(const struct store_list *list, int socket,
	const struct verify_options *o, struct report *report);

#endif
