/* SPDX-License-Identifier: MIT */
#include "builder/acl.h"

#include <string.h>

static const struct tree_xattr *find(const struct tree_entry *e, const char *name)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!strcmp(e->xattrs[i].name, name))
			return &e->xattrs[i];
	return NULL;
}

bool acl_exists(const struct tree_entry *e)
{
	return find(e, ACL_ACCESS) || find(e, ACL_DEFAULT);
}

mode_t acl_mode_without(const struct tree_entry *e)
{
	const struct tree_xattr *acl = find(e, ACL_ACCESS);
	mode_t mask = 7, group = 0;
	bool has_group = false;
	if (!acl)
		return e->mode;
	for (size_t at = ACL_HEADER_SIZE; at + ACL_ENTRY_SIZE <= acl->size;
		at += ACL_ENTRY_SIZE) {
		uint16_t tag = get_le16(acl->value + at);
		mode_t rights = get_le16(acl->value + at + 2) & 7;
		if (tag == ACL_TAG_GROUP_OBJ)
			group = rights, has_group = true;
		if (tag == ACL_TAG_MASK)
			mask = rights;
	}
	/* One that makes no sense grants the group nothing. */
	mode_t bits = has_group ? group & mask : 0;
	return (e->mode & ~(mode_t)070) | bits << 3;
}
