/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <string.h>

#include "blobfs/tools/serve_reader.h"
#include "core/hex.h"

/* All blobs of an image, by their digests. Nothing is kept per blob (serve_numbers.h). */

#define FIRST_DIR ((fuse_ino_t)2)
#define N_DIRS    256
#define NAME_SIZE (2 * (BLOBFS_DIGEST_SIZE - 1))

static bool is_dir(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID || (ino >= FIRST_DIR && ino < FIRST_DIR + N_DIRS);
}

/* What is shown as the number of a blob's inode. */
static ino_t shown_number(const uint8_t *digest)
{
	return (ino_t)(get_le64(digest) >> 1 | 1);
}

/* ---- from a number to its blob ----------------------------------------------------- */

/* The entry that NUMBER stands for: 0 or an enum blobfs_error. */
static int find_entry(const struct serve *s, struct blobfs *fs, uint64_t number,
	struct blobfs_entry *entry)
{
	struct blobfs_place place;
	if (!serve_number_place(&s->numbers, number, &place))
		return BLOBFS_MISSING;
	int r = blobfs_entry_at(fs, &place, entry);
	/* Somebody wrote another one there. */
	if (r == 0 && serve_number(&s->numbers, &place, entry->digest) != number)
		r = BLOBFS_DAMAGED;
	return r;
}

/* Opens the blob of a number: 0, or -errno when it has been logged. */
static int open_blob(struct serve *s, fuse_ino_t ino, struct blobfs_blob *blob)
{
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_entry entry;
	if (serve_opened_get(s, ino, blob))
		return 0;
	if (!reader)
		return -ENOMEM;
	int r = find_entry(s, &reader->fs, ino, &entry);
	if (r) {
		blobfs_failed(&reader->fs, s->image->file.name, r);
		serve_log(s, "a blob that was found before");
		return -EIO;
	}
	r = blobfs_open_entry(&reader->fs, &entry, blob);
	if (r) {
		serve_log_bad(s, entry.digest, 0, reader, r);
		return -EIO;
	}
	serve_opened_put(s, ino, blob);
	return 0;
}

/* ---- names and attributes ---------------------------------------------------------- */

static struct stat dir_attributes(fuse_ino_t ino)
{
	return (struct stat){.st_ino = ino,
		.st_blksize = BLOBFS_BLOCK,
		.st_mode = S_IFDIR | 0555,
		.st_nlink = ino == FUSE_ROOT_ID ? N_DIRS + 2 : 2};
}

static struct stat blob_attributes(const struct blobfs_blob *blob)
{
	return (struct stat){.st_ino = shown_number(blob->entry.digest),
		.st_blksize = BLOBFS_BLOCK,
		.st_mode = S_IFREG | 0444,
		.st_nlink = 1,
		.st_size = (off_t)blob->entry.size,
		.st_blocks = (blkcnt_t)u64_div_up(blob->entry.size, 512)};
}

static void reply_entry(fuse_req_t req, fuse_ino_t ino, const struct stat *attributes)
{
	struct fuse_entry_param e = {.ino = ino,
		.attr = *attributes,
		.attr_timeout = SERVE_FOR_EVER,
		.entry_timeout = SERVE_FOR_EVER};
	fuse_reply_entry(req, &e);
}

/* Only the one way to write a digest is a name: lower case. */
static bool parse_name(const char *name, size_t size, uint8_t *bytes)
{
	char again[NAME_SIZE + 1];
	return strlen(name) == 2 * size && hex_decode(name, bytes, size) == 0 &&
	       !strcmp(hex_encode(bytes, size, again), name);
}

static void look_up(fuse_req_t req, const uint8_t *digest)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	struct blobfs_place place;
	struct blobfs_entry entry;
	struct blobfs_blob blob;
	if (!reader) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	int r = blobfs_find_place(&reader->fs, NULL, digest, &entry, &place);
	if (r == BLOBFS_MISSING) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	uint64_t number = r ? 0 : serve_number(&s->numbers, &place, digest);
	if (r == 0)
		r = blobfs_open_entry(&reader->fs, &entry, &blob);
	if (r)
		serve_log_bad(s, digest, 0, reader, r);
	if (r || number == 0) {
		fuse_reply_err(req, EIO);
		return;
	}
	struct stat st = blob_attributes(&blob);
	serve_opened_put(s, number, &blob);
	reply_entry(req, number, &st);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	uint8_t digest[BLOBFS_DIGEST_SIZE];
	if (parent == FUSE_ROOT_ID && parse_name(name, 1, digest)) {
		struct stat st = dir_attributes(FIRST_DIR + digest[0]);
		reply_entry(req, FIRST_DIR + digest[0], &st);
		return;
	}
	if (parent == FUSE_ROOT_ID || !is_dir(parent) ||
		!parse_name(name, BLOBFS_DIGEST_SIZE - 1, digest + 1)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	digest[0] = (uint8_t)(parent - FIRST_DIR);
	look_up(req, digest);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct blobfs_blob blob;
	(void)fi;
	int r = is_dir(ino) ? 0 : open_blob(fuse_req_userdata(req), ino, &blob);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	struct stat st = is_dir(ino) ? dir_attributes(ino) : blob_attributes(&blob);
	fuse_reply_attr(req, &st, SERVE_FOR_EVER);
}

/* ---- directories ------------------------------------------------------------------- */

struct listing {
	fuse_req_t req;
	uint8_t *buffer;
	size_t size, used;
};

/* Adds an entry; NEXT is the offset behind it. Whether it fitted. */
static bool put_name(
	struct listing *l, const char *name, mode_t mode, ino_t number, off_t next)
{
	struct stat st = {.st_mode = mode, .st_ino = number};
	size_t left = l->size - l->used;
	size_t n = fuse_add_direntry(
		l->req, (char *)l->buffer + l->used, left, name, &st, next);
	if (n > left)
		return false;
	l->used += n;
	return true;
}

static void list_root(struct listing *l, off_t offset)
{
	char name[3];
	for (; offset >= 0 && offset < N_DIRS; offset++) {
		uint8_t byte = (uint8_t)offset;
		hex_encode(&byte, 1, name);
		if (!put_name(l, name, S_IFDIR, FIRST_DIR + byte, offset + 1))
			break;
	}
}

/* Offsets are not negative: without the bit that all blobs' numbers have. */
static off_t offset_of(uint64_t number)
{
	return (off_t)(number & INT64_MAX);
}

static uint64_t number_of(off_t offset)
{
	return (uint64_t)offset | ~(uint64_t)INT64_MAX;
}

/* Goes on behind the entry that OFFSET, the number of its place, is behind. */
static int seek(
	const struct serve *s, struct blobfs_walk *walk, uint8_t first, off_t offset)
{
	struct blobfs_entry entry = {.digest = {first}};
	struct blobfs_place place;
	if (offset) {
		int r = serve_number_place(&s->numbers, number_of(offset), &place)
				? blobfs_entry_at(walk->fs, &place, &entry)
				: BLOBFS_MISSING;
		if (r)
			return blobfs_failed(walk->fs, walk->name, r);
	}
	int r = blobfs_walk_seek(walk, entry.digest);
	if (r == 0 && offset)
		r = blobfs_walk_next(walk, &entry);
	return r < 0 ? r : 0;
}

/* The blobs of a directory behind OFFSET. */
static int list_blobs(const struct serve *s, struct serve_reader *reader, uint8_t first,
	off_t offset, struct listing *l)
{
	struct blobfs_walk walk;
	struct blobfs_entry e;
	char name[NAME_SIZE + 1];
	int r = blobfs_walk_start(
		&walk, &reader->fs, "index", NULL, 0, reader->fs.n_runs);
	if (r == 0)
		r = seek(s, &walk, first, offset);
	while (r == 0 && (r = blobfs_walk_next(&walk, &e)) > 0 && e.digest[0] == first) {
		r = 0;
		if (e.size == BLOBFS_TOMBSTONE)
			continue;
		uint64_t number = serve_number(&s->numbers, &walk.place, e.digest);
		hex_encode(e.digest + 1, BLOBFS_DIGEST_SIZE - 1, name);
		if (!put_name(
			    l, name, S_IFREG, shown_number(e.digest), offset_of(number)))
			break;
	}
	blobfs_walk_stop(&walk);
	return r < 0 ? r : 0;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct serve *s = fuse_req_userdata(req);
	struct serve_reader *reader = serve_reader(s);
	int r = reader ? 0 : error_memory();
	struct listing l = {.req = req,
		.buffer = reader ? reader->data : NULL,
		.size = size < SERVE_MAX_READ ? size : SERVE_MAX_READ};
	(void)fi;
	if (r == 0 && ino == FUSE_ROOT_ID)
		list_root(&l, offset);
	else if (r == 0)
		r = list_blobs(s, reader, (uint8_t)(ino - FIRST_DIR), offset, &l);
	if (r < 0) {
		serve_log(s, "cannot list blobs");
		fuse_reply_err(req, EIO);
	} else {
		fuse_reply_buf(req, (const char *)l.buffer, l.used);
	}
}

/* ---- files ------------------------------------------------------------------------- */

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct blobfs_blob blob;
	(void)fi;
	int r = open_blob(fuse_req_userdata(req), ino, &blob);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		serve_reply_blob(req, &blob, size, offset);
}

const struct fuse_lowlevel_ops serve_operations = {
	.init = serve_init,
	.lookup = op_lookup,
	.forget = serve_forget,
	.forget_multi = serve_forget_multi,
	.getattr = op_getattr,
	.opendir = serve_open,
	.readdir = op_readdir,
	.open = serve_open,
	.read = op_read,
};
