/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_ACL_H
#define CAIRN_BUILDER_ACL_H

#include "builder/tree.h"

/*
 * POSIX ACLs as the attributes Linux shows them as (include/uapi/linux/
 * posix_acl_xattr.h): a version, then entries of tag, rights and id, little-endian.
 */

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

#define ACL_VERSION     2
#define ACL_HEADER_SIZE 4
#define ACL_ENTRY_SIZE  8
#define ACL_NO_ID       UINT32_MAX

#define ACL_TAG_USER_OBJ  0x01
#define ACL_TAG_USER      0x02
#define ACL_TAG_GROUP_OBJ 0x04
#define ACL_TAG_GROUP     0x08
#define ACL_TAG_MASK      0x10
#define ACL_TAG_OTHER     0x20

/* Whether an entry has an ACL of either kind. */
bool acl_exists(const struct tree_entry *e);

/*
 * The mode that grants no more than the entry's ACL does, for where that cannot be
 * stored: with an ACL the group bits are the mask of all but the owner and others, which
 * would give the owning group more than its own entry.
 */
mode_t acl_mode_without(const struct tree_entry *e);

#endif
