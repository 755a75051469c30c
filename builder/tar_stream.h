/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_TAR_STREAM_H
#define CAIRN_BUILDER_TAR_STREAM_H

#include "builder/tree.h"

/*
 * A tree as a tar stream, for the programs that make file systems of one. There is one
 * stream for a tree: entries in the tree's order, every header from the model alone, so
 * that an image made from it cannot depend on anything else.
 *
 * It is meant for mkfs.erofs and tar2sqfs, whose reading it fits: pax records for all
 * that has one; "mtime" always with nine digits, as mkfs.erofs takes the digits for
 * nanoseconds; times before 1970 as whole seconds rounded down plus nanoseconds; holes
 * as zeros, which both find themselves.
 */

/*
 * Writes the part of the tree at and below the directory ROOT, which becomes ".", to the
 * pipe FD, POSIX ACLs left out unless WITH_ACLS (see acl_mode_without). Returns
 * -EPIPE (recorded) when nobody reads any more.
 */
int tar_stream_write(
	const struct tree *tree, const struct tree_entry *root, bool with_acls, int fd);

#endif
