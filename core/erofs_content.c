/* SPDX-License-Identifier: MIT */
#include "core/erofs_content.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE ((size_t)1 << 20)

struct stream {
	struct erofs_content *c;
	const struct erofs_inode *inode;
	int (*sink)(void *context, struct span data);
	void *context;
};

void erofs_content_init(struct erofs_content *c, const struct erofs *e)
{
	*c = (struct erofs_content){.e = e, .packed = FILE_CLOSED};
}

void erofs_content_free(struct erofs_content *c)
{
	if (c->have_packed)
		file_close(&c->packed);
	free(c->stored);
	free(c->plain);
	*c = (struct erofs_content){.packed = FILE_CLOSED};
}

static int reserve(uint8_t **data, size_t *size, uint64_t wanted)
{
	if (wanted <= *size)
		return 0;
	uint8_t *more = realloc(*data, (size_t)wanted);
	if (!more)
		return error_memory();
	*data = more;
	*size = (size_t)wanted;
	return 0;
}

/* ---- what is compressed together ----------------------------------------------------
 */

static int inflate_raw(struct span in, uint8_t *out, size_t size)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in.data,
		.avail_in = (uInt)in.size,
		.next_out = out,
		.avail_out = (uInt)size};
	if (inflateInit2(&z, -15) != Z_OK)
		return -1;
	int r = inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	return (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR) && !z.avail_out ? 0
										    : -1;
}

static int unpack_lzma(struct span in, uint8_t *out, size_t size)
{
	lzma_stream z = LZMA_STREAM_INIT;
	if (lzma_microlzma_decoder(&z, in.size, size, false, 8 << 20) != LZMA_OK)
		return -1;
	z.next_in = in.data;
	z.avail_in = in.size;
	z.next_out = out;
	z.avail_out = size;
	lzma_ret r = lzma_code(&z, LZMA_RUN);
	size_t left = z.avail_out;
	lzma_end(&z);
	return (r == LZMA_OK || r == LZMA_STREAM_END) && left == 0 ? 0 : -1;
}

static int unpack_zstd(struct span in, uint8_t *out, size_t size)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer from = {in.data, in.size, 0};
	ZSTD_outBuffer to = {out, size, 0};
	size_t r = z ? 1 : 0;
	while (z && to.pos < size && from.pos < from.size && r && !ZSTD_isError(r))
		r = ZSTD_decompressStream(z, &to, &from);
	ZSTD_freeDCtx(z);
	return z && !ZSTD_isError(r) && to.pos == size ? 0 : -1;
}

/* SIZE bytes of what IN unpacks to; there may be more. */
static int unpack(enum erofs_coding coding, struct span in, uint8_t *out, size_t size)
{
	/* What is stored is filled up with zeros at its beginning. */
	while (in.size && in.data[0] == 0)
		in = span_of(in.data + 1, in.size - 1);
	if (in.size == 0)
		return -1;
	if (coding == EROFS_LZ4)
		return LZ4_decompress_safe_partial((const char *)in.data, (char *)out,
			       (int)in.size, (int)size, (int)size) == (int)size
			       ? 0
			       : -1;
	if (coding == EROFS_ZSTD)
		return unpack_zstd(in, out, size);
	if (coding == EROFS_DEFLATE)
		return inflate_raw(in, out, size);
	return unpack_lzma(in, out, size);
}

/* Not packed, but in a packed file's blocks; perhaps turned around its beginning. */
static int copy_plain(const struct erofs_content *c, const struct erofs_extent *x)
{
	size_t block = (size_t)1 << c->e->block_bits, n = (size_t)x->length;
	if (n > x->stored)
		return -1;
	if (!x->interlaced) {
		memcpy(c->plain, c->stored, n);
		return 0;
	}
	size_t skip = (size_t)(x->offset & (block - 1));
	size_t right = block - skip < n ? block - skip : n;
	if (skip + right > x->stored)
		return -1;
	memcpy(c->plain, c->stored + skip, right);
	memcpy(c->plain + right, c->stored, n - right);
	return 0;
}

static int give_packed(struct stream *s, const struct erofs_extent *x)
{
	struct erofs_content *c = s->c;
	if (x->length > EROFS_EXTENT_MAX || x->stored > EROFS_EXTENT_MAX ||
		x->place > c->e->size || x->stored > c->e->size - x->place)
		return error_format("%s: erofs: inode %ju: an extent that makes no sense",
			c->e->file->name, (uintmax_t)s->inode->nid);
	int r = reserve(&c->stored, &c->stored_size, x->stored);
	if (r == 0)
		r = reserve(&c->plain, &c->plain_size, x->length);
	if (r == 0)
		r = erofs_fetch(c->e, c->stored, (size_t)x->stored, x->place);
	if (r < 0)
		return r;
	r = x->coding == EROFS_PLAIN
		    ? copy_plain(c, x)
		    : unpack(x->coding, span_of(c->stored, (size_t)x->stored), c->plain,
			      (size_t)x->length);
	if (r < 0)
		return error_format("%s: erofs: inode %ju: offset %ju of the file does "
				    "not unpack",
			c->e->file->name, (uintmax_t)s->inode->nid, (uintmax_t)x->offset);
	return s->sink(s->context, span_of(c->plain, (size_t)x->length));
}

/* ---- the rest ---------------------------------------------------------------------- */

/* LENGTH bytes at PLACE of the file system, or of PACKED; or zeros. */
static int give_plain(
	struct stream *s, const struct file *packed, uint64_t place, uint64_t length)
{
	int r = reserve(&s->c->plain, &s->c->plain_size, PIECE);
	while (r == 0 && length) {
		size_t n = length < PIECE ? (size_t)length : PIECE;
		if (packed)
			r = file_read(packed, s->c->plain, n, place);
		else if (place != EROFS_HOLE)
			r = erofs_fetch(s->c->e, s->c->plain, n, place);
		else
			memset(s->c->plain, 0, n);
		if (r == 0)
			r = s->sink(s->context, span_of(s->c->plain, n));
		place += place == EROFS_HOLE ? 0 : n;
		length -= n;
	}
	return r;
}

struct keeping {
	struct file *to;
	uint64_t at;
};

static int keep(void *context, struct span data)
{
	struct keeping *k = context;
	int r = file_write(k->to, data.data, data.size, k->at);
	k->at += data.size;
	return r;
}

/* Unpacks the file with fragments, once. */
static int load_packed(struct erofs_content *c)
{
	struct erofs_inode inode;
	uint64_t nid;
	if (c->have_packed)
		return 0;
	int r = erofs_packed(c->e, &nid);
	if (r == 0 && nid == 0)
		return error_format("%s: erofs: fragments, but no file that holds them",
			c->e->file->name);
	if (r == 0)
		r = erofs_inode(c->e, nid, &inode);
	if (r == 0 && inode.size > EROFS_PACKED_MAX)
		return error_format("%s: erofs: too many fragments", c->e->file->name);
	if (r == 0)
		r = file_in_memory(&c->packed, "fragments", (struct span){0});
	if (r < 0)
		return r;
	c->have_packed = true;
	struct keeping k = {.to = &c->packed};
	struct erofs_content own;
	erofs_content_init(&own, c->e);
	/* Fragments of the fragments would be looked for here: there are none. */
	own.have_packed = true;
	r = erofs_content_stream(&own, &inode, keep, &k);
	own.have_packed = false;
	erofs_content_free(&own);
	c->packed.size = k.at;
	return r;
}

static int give_fragment(struct stream *s, const struct erofs_extent *x)
{
	int r = load_packed(s->c);
	if (r < 0)
		return r;
	if (s->c->packed.fd < 0 || x->place > s->c->packed.size ||
		x->length > s->c->packed.size - x->place)
		return error_format("%s: erofs: inode %ju: a fragment that is not there",
			s->c->e->file->name, (uintmax_t)s->inode->nid);
	return give_plain(s, &s->c->packed, x->place, x->length);
}

static int give(void *context, const struct erofs_extent *x)
{
	struct stream *s = context;
	if (x->place == EROFS_HOLE)
		return give_plain(s, NULL, EROFS_HOLE, x->length);
	if (x->fragment)
		return give_fragment(s, x);
	if (x->coding != EROFS_PLAIN || x->shifted)
		return give_packed(s, x);
	return give_plain(s, NULL, x->place, x->length);
}

int erofs_content_stream(struct erofs_content *c, const struct erofs_inode *inode,
	int (*sink)(void *context, struct span data), void *context)
{
	struct stream s = {.c = c, .inode = inode, .sink = sink, .context = context};
	return erofs_extents(c->e, inode, NULL, give, &s);
}
