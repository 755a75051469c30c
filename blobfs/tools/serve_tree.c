/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "blobfs/tools/serve_reader.h"

/*
 * A whole tree: names and attributes from its image, contents from blobs, both verified
 * block by block. Nothing is kept per file: an inode number says where in the image the
 * inode is.
 */

/* 0 is none, 1 is the root. */
#define FIRST_NUMBER ((fuse_ino_t)2)

static const struct erofs *erofs_of(const struct serve *s)
{
	return &s->names->erofs;
}

static uint64_t nid_of(const struct serve *s, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? erofs_of(s)->root : ino - FIRST_NUMBER;
}

static fuse_ino_t number_of(const struct serve *s, uint64_t nid)
{
	return nid == erofs_of(s)->root ? FUSE_ROOT_ID : nid + FIRST_NUMBER;
}

/* A file as the tree has it: its inode, and what undoes the image's escapes. */
struct served {
	struct erofs_inode inode;
	struct names_marks marks;
};

static int find(const struct serve *s, uint64_t nid, struct served *f)
{
	int r = erofs_inode(erofs_of(s), nid, &f->inode);
	return r < 0 ? r : names_look(erofs_of(s), &f->inode, &f->marks);
}

/* The tree's image is damaged by now; or it is good, but makes no sense or is too new. */
static void log_inode(const struct serve *s, uint64_t nid)
{
	char text[BLOBFS_DIGEST_TEXT], what[BLOBFS_DIGEST_TEXT + 40];
	blobfs_digest_text(s->names->blob.entry.digest, text);
	snprintf(what, sizeof what, "tree %s: inode %ju", text, (uintmax_t)nid);
	serve_log(s, what);
}

static void refuse(fuse_req_t req, uint64_t nid)
{
	log_inode(fuse_req_userdata(req), nid);
	fuse_reply_err(req, EIO);
}

/* As FIND, but has replied if it fails. */
static bool find_or_refuse(fuse_req_t req, fuse_ino_t ino, struct served *f)
{
	const struct serve *s = fuse_req_userdata(req);
	if (find(s, nid_of(s, ino), f) == 0)
		return true;
	refuse(req, nid_of(s, ino));
	return false;
}

/* ---- attributes -------------------------------------------------------------------- */

static struct stat attributes(const struct serve *s, const struct served *f)
{
	const struct erofs_inode *i = &f->inode;
	struct timespec time = {(time_t)i->mtime, (long)i->mtime_ns};
	struct stat st = {.st_ino = number_of(s, i->nid),
		.st_mode = i->mode,
		.st_nlink = i->n_links,
		.st_uid = i->uid,
		.st_gid = i->gid,
		.st_rdev = makedev(i->major, i->minor),
		.st_size = (off_t)i->size,
		.st_blksize = BLOBFS_BLOCK,
		.st_blocks = (blkcnt_t)u64_div_up(i->size, 512),
		.st_atim = time,
		.st_mtim = time,
		.st_ctim = time};
	if (f->marks.is_whiteout) {
		st.st_mode = S_IFCHR | (i->mode & 07777);
		st.st_rdev = 0;
	}
	return st;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct served f;
	(void)fi;
	if (!find_or_refuse(req, ino, &f))
		return;
	struct stat st = attributes(fuse_req_userdata(req), &f);
	fuse_reply_attr(req, &st, SERVE_FOR_EVER);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	BUFFER target = {0};
	struct served f;
	if (!find_or_refuse(req, ino, &f))
		return;
	if (erofs_target(erofs_of(fuse_req_userdata(req)), &f.inode, &target) < 0)
		refuse(req, f.inode.nid);
	else
		fuse_reply_readlink(req, buffer_text(&target));
}

struct xattrs {
	const struct names_marks *marks;
	const char *wanted;     /* its value is FOUND; or NULL: all names are */
	struct buffer contents; /* what is found */
};

static int visit_xattr(void *context, const char *name, struct span value)
{
	struct xattrs *x = context;
	char unescaped[NAMES_XATTR_SIZE];
	const char *original = names_original(x->marks, name, unescaped);
	if (!original)
		return 0;
	if (!x->wanted)
		return buffer_append(&x->contents, original, strlen(original) + 1);
	if (strcmp(original, x->wanted) != 0)
		return 0;
	int r = buffer_append(&x->contents, value.data, value.size);
	return r < 0 ? r : 1;
}

/* The value of the attribute NAME, or all names if it is NULL. SIZE 0 asks for theirs. */
static void reply_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct served f;
	if (!find_or_refuse(req, ino, &f))
		return;
	struct xattrs x = {.marks = &f.marks, .wanted = name};
	int r = erofs_xattrs(erofs_of(fuse_req_userdata(req)), &f.inode, visit_xattr, &x);
	if (r < 0)
		refuse(req, f.inode.nid);
	else if (name && r == 0)
		fuse_reply_err(req, ENODATA);
	else if (size == 0)
		fuse_reply_xattr(req, x.contents.size);
	else if (x.contents.size > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, (const char *)x.contents.data, x.contents.size);
	buffer_free(&x.contents);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	reply_xattr(req, ino, name, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	reply_xattr(req, ino, NULL, size);
}

/* ---- directories ------------------------------------------------------------------- */

static struct fuse_entry_param entry_of(const struct serve *s, const struct served *f)
{
	return (struct fuse_entry_param){.ino = number_of(s, f->inode.nid),
		.attr = attributes(s, f),
		.attr_timeout = SERVE_FOR_EVER,
		.entry_timeout = SERVE_FOR_EVER};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct serve *s = fuse_req_userdata(req);
	/* Number 0 says that there is nothing, nor will be. */
	struct fuse_entry_param e = {.entry_timeout = SERVE_FOR_EVER};
	struct served f;
	uint64_t nid;
	if (!find_or_refuse(req, parent, &f))
		return;
	int r = erofs_find(erofs_of(s), &f.inode, span_of(name, strlen(name)), &nid);
	if (r > 0) {
		r = find(s, nid, &f);
		if (r == 0 && !(parent == FUSE_ROOT_ID && names_hides_blobs(&f.inode)))
			e = entry_of(s, &f);
	}
	if (r < 0)
		refuse(req, nid_of(s, parent));
	else
		fuse_reply_entry(req, &e);
}

struct listing {
	fuse_req_t req;
	bool root;
	bool with_attributes;
	char *buffer;
	size_t size, used;
};

/* Adds a name; 1 if it does not fit any more. */
static int put_name(void *context, struct span name, uint64_t nid, uint64_t next)
{
	struct listing *l = context;
	const struct serve *s = fuse_req_userdata(l->req);
	struct served f;
	char text[256];
	int r = find(s, nid, &f);
	if (r < 0 || (l->root && names_hides_blobs(&f.inode)))
		return r;
	struct fuse_entry_param e = entry_of(s, &f);
	char *to = l->buffer + l->used;
	size_t left = l->size - l->used, n;
	snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
	n = l->with_attributes
		    ? fuse_add_direntry_plus(l->req, to, left, text, &e, (off_t)next)
		    : fuse_add_direntry(l->req, to, left, text, &e.attr, (off_t)next);
	if (n > left)
		return 1;
	l->used += n;
	return 0;
}

static void list(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool with_attributes)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	struct served f;
	if (!reader) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (!find_or_refuse(req, ino, &f))
		return;
	struct listing l = {.req = req,
		.root = ino == FUSE_ROOT_ID,
		.with_attributes = with_attributes,
		.buffer = (char *)reader->data,
		.size = size < SERVE_MAX_READ ? size : SERVE_MAX_READ};
	int r = erofs_list_from(erofs_of(s), &f.inode, (uint64_t)offset, put_name, &l);
	if (r < 0)
		refuse(req, f.inode.nid);
	else
		fuse_reply_buf(req, l.buffer, l.used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, true);
}

/* ---- contents ---------------------------------------------------------------------- */

/* Opens the blob of a file. What is missing is damage: the tree says that it is there. */
static int open_blob(struct serve *s, const struct erofs_inode *inode,
	const uint8_t *digest, struct blobfs_blob *blob)
{
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_place place;
	struct blobfs_entry entry;
	if (!reader)
		return -ENOMEM;
	int r = blobfs_find_place(&reader->fs, NULL, digest, &entry, &place);
	if (r == 0)
		r = blobfs_open_entry(&reader->fs, &entry, blob);
	if (r) {
		serve_log_bad(s, digest, 0, reader, r);
		return -EIO;
	}
	if (blob->entry.size == inode->size)
		return 0;
	error_format("its blob has %ju bytes, not %ju", (uintmax_t)blob->entry.size,
		(uintmax_t)inode->size);
	log_inode(s, inode->nid);
	return -EIO;
}

/* As serve_find_blob; 1 if the contents of the file, which is F, are in the image. */
static int find_contents(
	struct serve *s, fuse_ino_t ino, struct served *f, struct blobfs_blob *blob)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	int r = find(s, nid_of(s, ino), f);
	if (r == 0)
		r = names_blob(erofs_of(s), &f->inode, digest);
	if (r < 0) {
		log_inode(s, nid_of(s, ino));
		return -EIO;
	}
	return r ? 1 : open_blob(s, &f->inode, digest, blob);
}

/* Replies with bytes that are in the image itself. */
static void reply_inline(
	fuse_req_t req, const struct erofs_inode *inode, size_t size, uint64_t at)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	if (!reader) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (size > SERVE_MAX_READ)
		size = SERVE_MAX_READ;
	if (at > inode->size)
		at = inode->size;
	if (size > inode->size - at)
		size = (size_t)(inode->size - at);
	if (erofs_read(erofs_of(s), inode, reader->data, size, at) < 0)
		refuse(req, inode->nid);
	else
		fuse_reply_buf(req, (const char *)reader->data, size);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	struct blobfs_blob blob;
	struct served f;
	int r = 0;
	(void)fi;
	if (!serve_opened_get(s, ino, &blob)) {
		r = find_contents(s, ino, &f, &blob);
		if (r == 0)
			serve_opened_put(s, ino, &blob);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (r > 0)
		reply_inline(req, &f.inode, size, (uint64_t)offset);
	else
		serve_reply_blob(req, &blob, size, offset);
}

const struct fuse_lowlevel_ops serve_tree_operations = {
	.init = serve_init,
	.lookup = op_lookup,
	.forget = serve_forget,
	.forget_multi = serve_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.opendir = serve_open,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.open = serve_open,
	.read = op_read,
};
