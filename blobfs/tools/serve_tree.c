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
 * A whole tree: names and attributes from its image in memory, which was verified as a
 * whole, contents from blobs, verified block by block. Nothing is kept per file: an inode
 * number says where in the image the inode is.
 */

/* 0 is none, 1 is the root. */
#define FIRST_NUMBER ((fuse_ino_t)2)

static const struct erofs *erofs_of(const struct serve *s)
{
	return &s->tree->erofs;
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

/* The tree's image is good, as it was verified; but it makes no sense, or is too new. */
static void refuse(fuse_req_t req, uint64_t nid)
{
	char what[40];
	snprintf(what, sizeof what, "inode %ju", (uintmax_t)nid);
	serve_log(fuse_req_userdata(req), what);
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

struct search {
	struct span name;
	uint64_t nid;
};

static int compare_name(void *context, struct span name, uint64_t nid)
{
	struct search *search = context;
	if (name.size != search->name.size ||
		memcmp(name.data, search->name.data, name.size) != 0)
		return 0;
	search->nid = nid;
	return 1;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct serve *s = fuse_req_userdata(req);
	struct search search = {.name = span_of(name, strlen(name))};
	struct fuse_entry_param e = {
		.attr_timeout = SERVE_FOR_EVER, .entry_timeout = SERVE_FOR_EVER};
	struct served f;
	if (!find_or_refuse(req, parent, &f))
		return;
	int r = erofs_list(erofs_of(s), &f.inode, compare_name, &search);
	if (r > 0) {
		r = find(s, search.nid, &f);
		if (r == 0 && !(parent == FUSE_ROOT_ID && names_hides_blobs(&f.inode))) {
			e.ino = number_of(s, search.nid);
			e.attr = attributes(s, &f);
		}
	}
	/* Number 0 says that there is nothing, nor will be. */
	if (r < 0)
		refuse(req, nid_of(s, parent));
	else
		fuse_reply_entry(req, &e);
}

struct listing {
	fuse_req_t req;
	bool root;
	uint8_t *buffer;
	size_t size, used;
	off_t at, first; /* entries that were seen; that are wanted */
};

/* Adds a name; 1 if it does not fit any more. */
static int put_name(void *context, struct span name, uint64_t nid)
{
	struct listing *l = context;
	const struct serve *s = fuse_req_userdata(l->req);
	struct served f;
	char text[256];
	if (l->at++ < l->first)
		return 0;
	int r = find(s, nid, &f);
	if (r < 0 || (l->root && names_hides_blobs(&f.inode)))
		return r;
	struct stat st = attributes(s, &f);
	snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
	size_t n = fuse_add_direntry(
		l->req, (char *)l->buffer + l->used, l->size - l->used, text, &st, l->at);
	if (n > l->size - l->used)
		return 1;
	l->used += n;
	return 0;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	struct served f;
	(void)fi;
	if (!reader) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (!find_or_refuse(req, ino, &f))
		return;
	struct listing l = {.req = req,
		.root = ino == FUSE_ROOT_ID,
		.buffer = reader->data,
		.size = size < SERVE_MAX_READ ? size : SERVE_MAX_READ,
		.first = offset};
	if (erofs_list(erofs_of(s), &f.inode, put_name, &l) < 0)
		refuse(req, f.inode.nid);
	else
		fuse_reply_buf(req, (const char *)l.buffer, l.used);
}

/* ---- contents ---------------------------------------------------------------------- */

/* Opens the blob of a file. What is missing is damage: the tree says that it is there. */
static void open_blob(fuse_req_t req, const struct erofs_inode *inode,
	const uint8_t *digest, struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_blob *blob = malloc(sizeof *blob);
	int r = reader && blob ? blobfs_open_blob(&reader->fs, digest, blob) : BLOBFS_IO;
	if (r == 0 && blob->entry.size == inode->size) {
		serve_open(req, fi, blob);
		return;
	}
	if (r == 0) {
		error_format("its blob has %ju bytes, not %ju",
			(uintmax_t)blob->entry.size, (uintmax_t)inode->size);
		refuse(req, inode->nid);
	} else {
		if (reader && blob)
			serve_log_bad(s, digest, 0, reader, r);
		fuse_reply_err(req, EIO);
	}
	free(blob);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	struct served f;
	if (serve_is_for_writing(fi)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (!find_or_refuse(req, ino, &f))
		return;
	int r = names_blob(erofs_of(fuse_req_userdata(req)), &f.inode, digest);
	if (r < 0)
		refuse(req, f.inode.nid);
	else if (r == 0)
		open_blob(req, &f.inode, digest, fi);
	else
		serve_open(req, fi, NULL);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	uint64_t at = (uint64_t)offset;
	struct served f;
	if (fi->fh || !reader) {
		serve_read(req, ino, size, offset, fi);
		return;
	}
	if (!find_or_refuse(req, ino, &f))
		return;
	if (size > SERVE_MAX_READ)
		size = SERVE_MAX_READ;
	if (at > f.inode.size)
		at = f.inode.size;
	if (size > f.inode.size - at)
		size = (size_t)(f.inode.size - at);
	if (erofs_read(erofs_of(s), &f.inode, reader->data, size, at) < 0)
		refuse(req, f.inode.nid);
	else
		fuse_reply_buf(req, (const char *)reader->data, size);
}

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->max_readahead = SERVE_MAX_READ;
	/* The kernel decides by the tree's access control lists, too. */
	connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
}

const struct fuse_lowlevel_ops serve_tree_operations = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.readdir = op_readdir,
	.open = op_open,
	.release = serve_release,
	.read = op_read,
};
