/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_ATTACHED_H
#define CAIRN_COMPOSE_ATTACHED_H

#include "initrd/compose/anchors.h"
#include "initrd/compose/search.h"

/*
 * Extensions that are not files but whole disks, as `cairn boot --extension` attaches
 * them: block devices whose serial number begins with this. The number is a request to
 * look and nothing else; what is on the disk is vouched for like any other extension.
 */
#define ATTACHED_SERIAL "cairn-extension-"

/* Gives the name of each, "vdb", to VISIT. What that returns below 0 ends it. */
int attached_visit(int (*visit)(void *context, const char *disk), void *context);

/*
 * Adds those of CLASS to S. A disk has no file name, so its extension's name and class
 * are what it says of itself in the one extension-release file it has, which is read only
 * after ANCHORS vouched for the root hash, through dm-verity. A name that S has already,
 * from a directory, is passed over. One disk that is refused, for whatever reason,
 * refuses all:
 *   STATUS_TRUST    signed by nobody who is trusted for sysexts or confexts
 *   STATUS_FORMAT   no extension, or two disks of one name
 *   and what else ddi_open and ddi_mount say
 */
int attached_search(
	const struct anchors *anchors, enum extension_class class, struct search *s);

#endif
