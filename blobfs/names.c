/* SPDX-License-Identifier: MIT */
#include "blobfs/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- loading ------------------------------------------------------------------------
 */

/* Reads all of BLOB, and writes it into the empty file F unless that is NULL. */
static int read_all(
	struct blobfs_store *s, const struct blobfs_blob *blob, struct file *f)
{
	size_t chunk = (size_t)1 << 20, n;
	uint8_t *data = malloc(chunk);
	int r = data ? 0 : error_memory();
	for (uint64_t at = 0; at < blob->entry.size && r == 0; at += n) {
		r = blobfs_read(&s->fs, blob, at, data, chunk, &n);
		if (r)
			r = blobfs_failed(&s->fs, s->device->name, r);
		else if (f)
			r = file_write(f, data, n, at);
	}
	free(data);
	return r;
}

/* Whether BLOB has erofs' magic: 1 or 0. */
static int has_magic(struct blobfs_store *s, const struct blobfs_blob *blob)
{
	uint8_t magic[4];
	size_t n;
	int r = blobfs_read(&s->fs, blob, EROFS_SUPER_OFFSET, magic, sizeof magic, &n);
	if (r)
		return blobfs_failed(&s->fs, s->device->name, r);
	return n == sizeof magic && get_le32(magic) == EROFS_SUPER_MAGIC;
}

/* Opens a blob that is to be a tree's names: as names_check. */
static int open_names(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	struct blobfs_blob *blob)
{
	int r = blobfs_open_blob(&s->fs, digest, blob);
	r = r ? blobfs_failed(&s->fs, s->device->name, r) : has_magic(s, blob);
	if (r <= 0)
		return r < 0 ? r : 1;
	if (blob->entry.size > NAMES_LIMIT)
		return error_set(STATUS_FAILED, EFBIG,
			"%s: an erofs image of %ju bytes, more than a tree's names have",
			s->device->name, (uintmax_t)blob->entry.size);
	return 0;
}

int names_load(
	struct names *n, struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	struct blobfs_blob blob;
	*n = NAMES_CLOSED;
	int r = open_names(s, digest, &blob);
	if (r != 0)
		return r;
	/* A copy nobody else can write to: what was checked is what is read. */
	r = file_in_memory(&n->image, s->device->name, span_of("", 0));
	if (r == 0)
		r = read_all(s, &blob, &n->image);
	n->image.size = blob.entry.size;
	if (r == 0)
		r = erofs_open(&n->erofs, &n->image, 0, n->image.size);
	if (r < 0)
		names_close(n);
	return r;
}

int names_check(struct blobfs_store *s, const uint8_t digest[BLOBFS_DIGEST_SIZE],
	struct blobfs_blob *blob)
{
	int r = open_names(s, digest, blob);
	return r ? r : read_all(s, blob, NULL);
}

void names_close(struct names *n)
{
	file_close(&n->image);
}

/* ---- blobs --------------------------------------------------------------------------
 */

/* Source: the kernel's Documentation/filesystems/overlayfs.rst, "fs-verity support". */
static int take_metacopy(void *context, const char *name, struct span value)
{
	static const uint8_t head[4] = {0, 4 + BLOBFS_DIGEST_SIZE, 0, 1};
	if (strcmp(name, "trusted.overlay.metacopy") != 0)
		return 0;
	if (value.size != sizeof head + BLOBFS_DIGEST_SIZE ||
		memcmp(value.data, head, sizeof head) != 0)
		return error_format("a tree names a blob without a SHA-256 digest");
	memcpy(context, value.data + sizeof head, BLOBFS_DIGEST_SIZE);
	return 1;
}

int names_blob(const struct erofs *e, const struct erofs_inode *inode,
	uint8_t digest[BLOBFS_DIGEST_SIZE])
{
	if (!S_ISREG(inode->mode))
		return 1;
	int r = erofs_xattrs(e, inode, take_metacopy, digest);
	return r < 0 ? r : !r;
}

struct visitor {
	const struct erofs *erofs;
	int (*found)(void *context, const uint8_t *digest);
	void *context;
	struct buffer directories; /* nids that are still to be listed */
};

static int visit(void *context, struct span name, uint64_t nid)
{
	struct visitor *v = context;
	struct erofs_inode inode;
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	(void)name;
	int r = erofs_inode(v->erofs, nid, &inode);
	if (r == 0 && S_ISDIR(inode.mode))
		return buffer_append(&v->directories, &nid, sizeof nid);
	if (r == 0)
		r = names_blob(v->erofs, &inode, digest);
	if (r == 0)
		return v->found(v->context, digest);
	return r < 0 ? r : 0;
}

int names_blobs(const struct erofs *e, int (*found)(void *context, const uint8_t *digest),
	void *context)
{
	struct visitor v = {e, found, context, {0}};
	uint64_t nid = e->root, left = e->size;
	int r = buffer_append(&v.directories, &nid, sizeof nid);
	while (r == 0 && v.directories.size) {
		struct erofs_inode dir;
		v.directories.size -= sizeof nid;
		memcpy(&nid, v.directories.data + v.directories.size, sizeof nid);
		r = erofs_inode(e, nid, &dir);
		/* No two share bytes; a loop of them runs out of what there can be. */
		if (r == 0 && dir.size > left)
			r = error_format("%s: more names than the image has room for",
				e->file->name);
		left -= r == 0 ? dir.size : 0;
		if (r == 0)
			r = erofs_list(e, &dir, visit, &v);
	}
	buffer_free(&v.directories);
	return r;
}

/* ---- what is only overlayfs' --------------------------------------------------------
 */

static bool starts(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static int look(void *context, const char *name, struct span value)
{
	struct names_marks *marks = context;
	(void)value;
	marks->is_whiteout |= !strcmp(name, "trusted.overlay.overlay.whiteout");
	marks->has_whiteout |= !strcmp(name, "trusted.overlay.overlay.whiteouts");
	return 0;
}

int names_look(
	const struct erofs *e, const struct erofs_inode *inode, struct names_marks *marks)
{
	*marks = (struct names_marks){0};
	return erofs_xattrs(e, inode, look, marks);
}

const char *names_original(const struct names_marks *marks, const char *name,
	char unescaped[NAMES_XATTR_SIZE])
{
	bool marked = marks->is_whiteout || marks->has_whiteout;
	if (marked && (starts(name, "trusted.overlay.overlay.whiteout") ||
			      !strcmp(name, "trusted.overlay.overlay.opaque") ||
			      starts(name, "user.overlay.whiteout") ||
			      !strcmp(name, "user.overlay.opaque")))
		return NULL;
	if (starts(name, "trusted.overlay.overlay.")) {
		snprintf(unescaped, NAMES_XATTR_SIZE, "trusted.overlay.%s",
			name + strlen("trusted.overlay.overlay."));
		return unescaped;
	}
	return starts(name, "trusted.overlay.") ? NULL : name;
}

bool names_hides_blobs(const struct erofs_inode *inode)
{
	return S_ISCHR(inode->mode) && !inode->major && !inode->minor;
}
