/* SPDX-License-Identifier: MIT */
#include "builder/tree_acl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/acl.h"

static const struct {
	int archive;
	uint16_t linux_tag; /* the attribute's entries are in the order of their tags */
} tags[] = {
	{ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_TAG_USER_OBJ},
	{ARCHIVE_ENTRY_ACL_USER, ACL_TAG_USER},
	{ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_TAG_GROUP_OBJ},
	{ARCHIVE_ENTRY_ACL_GROUP, ACL_TAG_GROUP},
	{ARCHIVE_ENTRY_ACL_MASK, ACL_TAG_MASK},
	{ARCHIVE_ENTRY_ACL_OTHER, ACL_TAG_OTHER},
};

static uint16_t tag_of(int archive)
{
	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
		if (tags[i].archive == archive)
			return tags[i].linux_tag;
	return 0;
}

/* The order the kernel demands: by tag, then by id. */
static int by_tag(const void *a, const void *b)
{
	uint16_t x = get_le16(a), y = get_le16(b);
	uint32_t i = get_le32((const uint8_t *)a + 4),
		 j = get_le32((const uint8_t *)b + 4);
	return x != y ? (x < y ? -1 : 1) : (i > j) - (i < j);
}

static int add_one(struct buffer *value, int permset, int tag, int id)
{
	uint8_t entry[ACL_ENTRY_SIZE];
	bool has_id = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
	put_le16(entry, tag_of(tag));
	/* libarchive's rights have the values of r, w and x in a mode. */
	put_le16(entry + 2, (uint16_t)(permset & 7));
	put_le32(entry + 4, has_id ? (uint32_t)id : ACL_NO_ID);
	return buffer_append(value, entry, sizeof entry);
}

static int add_acl(struct tree_entry *e, struct archive_entry *from, int type,
	const char *name, const char *archive)
{
	BUFFER value = {0};
	uint8_t version[4];
	char quoted[TREE_QUOTE_SIZE];
	put_le32(version, ACL_VERSION);
	int r = buffer_append(&value, version, sizeof version);
	int entry_type, permset, tag, id;
	const char *who;
	archive_entry_acl_reset(from, type);
	while (r == 0 && archive_entry_acl_next(from, type, &entry_type, &permset, &tag,
				 &id, &who) == ARCHIVE_OK) {
		bool named =
			tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
		if (named && id < 0)
			return error_format("%s: %s: its ACL names %.64s, not a number",
				archive, tree_quote(e->path, quoted),
				who ? who : "nobody");
		/* libarchive took the owning group's rights for the mode's; they are the
		 * mask. */
		if (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS &&
			tag == ARCHIVE_ENTRY_ACL_MASK)
			e->mode = (e->mode & ~(mode_t)070) | (mode_t)(permset & 7) << 3;
		r = add_one(&value, permset, tag, id);
	}
	if (r < 0)
		return r;
	qsort(value.data + ACL_HEADER_SIZE,
		(value.size - ACL_HEADER_SIZE) / ACL_ENTRY_SIZE, ACL_ENTRY_SIZE, by_tag);
	return tree_add_xattr(e, name, value.data, value.size);
}

static const struct tree_xattr *find_xattr(const struct tree_entry *e, const char *name)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!strcmp(e->xattrs[i].name, name))
			return &e->xattrs[i];
	return NULL;
}

/* As above for an ACL that came as an attribute: the mask is what the mode shows. */
static void take_mask(struct tree_entry *e, const struct tree_xattr *acl)
{
	for (size_t i = ACL_HEADER_SIZE; i + ACL_ENTRY_SIZE <= acl->size;
		i += ACL_ENTRY_SIZE) {
		unsigned rights = get_le16(acl->value + i + 2) & 7;
		if (get_le16(acl->value + i) == ACL_TAG_MASK)
			e->mode = (e->mode & ~(mode_t)070) | (mode_t)rights << 3;
	}
}

int tree_add_acls(struct tree_entry *e, struct archive_entry *from, const char *archive)
{
	int types = archive_entry_acl_types(from), r = 0;
	const struct tree_xattr *access = find_xattr(e, ACL_ACCESS);
	/* Three entries only repeat the mode. */
	if (access)
		take_mask(e, access);
	else if ((types & ARCHIVE_ENTRY_ACL_TYPE_ACCESS) &&
		 archive_entry_acl_count(from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS) > 3)
		r = add_acl(e, from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS, archive);
	if (r == 0 && (types & ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) && S_ISDIR(e->mode) &&
		!find_xattr(e, ACL_DEFAULT))
		r = add_acl(
			e, from, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT, archive);
	return r;
}
