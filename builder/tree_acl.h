/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_TREE_ACL_H
#define CAIRN_BUILDER_TREE_ACL_H

#include <archive.h>
#include <archive_entry.h>

#include "builder/tree_build.h"

/*
 * The POSIX ACLs that tar archives carry as text become the attributes Linux shows them
 * as. Users and groups must be numbers: names mean something on the archive's host only.
 */
int tree_add_acls(struct tree_entry *e, struct archive_entry *from, const char *archive);

#endif
