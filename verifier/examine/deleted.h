/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_EXAMINE_DELETED_H
#define CAIRN_VERIFIER_EXAMINE_DELETED_H

#include "verifier/examine/listing.h"

/* Whether deleted files of the file system TYPE, as blkid names it, can be listed. */
bool deleted_knows(const char *type);

/*
 * Appends to L->to, behind what listing_run wrote, the files that were deleted from the
 * ext2, 3 or 4 that is all of FROM. It is read by a confined process; if that fails,
 * L->report says that they are not listed, and all else goes on.
 */
int deleted_list(struct listing *l, const struct file *from);

/*
 * The part of it that believes nothing: what that process writes to the pipe FD, whatever
 * it is, goes to L->to and L->report.
 */
int deleted_receive(struct listing *l, int fd);

/* Says that deleted files of TYPE are not listed. */
void deleted_uncovered(struct report *report, const char *type);

#endif
