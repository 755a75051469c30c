/* SPDX-License-Identifier: MIT */
#include "core/erofs_extents.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define LAYOUT_FULL    1u /* 8 bytes for each logical cluster */
#define LAYOUT_COMPACT 3u /* 2 or 4 */

/* The header of an index: struct z_erofs_map_header. */
#define HEADER_SIZE        8u
#define ADVISE_COMPACT_2   0x0001u
#define ADVISE_BIG_1       0x0002u
#define ADVISE_BIG_2       0x0004u
#define ADVISE_INLINE_TAIL 0x0008u
#define ADVISE_INTERLACED  0x0010u
#define ADVISE_FRAGMENT    0x0020u
#define ADVISE_KNOWN       0x003fu
#define WHOLE_FRAGMENT     (UINT64_C(1) << 63)
#define SUPER_PACKED_NID   (EROFS_SUPER_OFFSET + 96)
#define INCOMPAT_FRAGMENTS 0x20u

/* What a logical cluster is. */
#define TYPE_PLAIN     0u
#define TYPE_HEAD_1    1u
#define TYPE_CONTINUED 2u
#define TYPE_HEAD_2    3u
#define BLOCK_COUNT    (1u << 11) /* a continued one that holds the number of blocks */
#define PARTIAL        (1u << 15)

struct lcluster {
	unsigned type;
	uint32_t low;   /* where in it the next extent starts; or BLOCK_COUNT | n */
	uint64_t block; /* of a head */
	bool partial;
};

struct index {
	const struct erofs *e;
	const struct erofs_inode *inode;
	uint64_t place, end; /* of the index behind its header, bytes */
	uint64_t n;          /* logical clusters */
	unsigned bits;       /* log2 of a logical cluster, bytes */
	uint32_t advise, algorithms;
	uint64_t fragment; /* offset in the packed file */
	uint32_t tail;     /* bytes of an inline tail */
	/* Compact: how many come first in 4 bytes, then in 2. */
	uint64_t n_4, n_2;
	uint64_t pack; /* number of the first cluster in `unpacked`; UINT64_MAX: none */
	unsigned n_unpacked;
	struct lcluster unpacked[16];
};

static int malformed(const struct index *x, const char *why)
{
	return error_format("%s: erofs: inode %ju: %s", x->e->file->name,
		(uintmax_t)x->inode->nid, why);
}

static int get(const struct index *x, uint64_t at, void *data, size_t size)
{
	if (at > x->e->size || size > x->e->size - at)
		return malformed(x, "an index outside the file system");
	return erofs_fetch(x->e, data, size, at);
}

/* ---- one cluster ------------------------------------------------------------------- */

static int get_full(struct index *x, uint64_t i, struct lcluster *c)
{
	uint8_t d[8];
	int r = get(x, x->place + 8 * i, d, sizeof d);
	if (r < 0)
		return r;
	uint32_t advise = get_le16(d);
	c->type = advise & 3;
	c->partial = advise & PARTIAL;
	if (c->type == TYPE_CONTINUED)
		c->low = get_le16(d + 4); /* of delta[0] only the number matters */
	else
		c->low = get_le16(d + 2);
	c->block = get_le32(d + 4);
	return 0;
}

/* The pack that cluster I is in: its first one, how many it has, and bytes for each. */
static uint64_t pack_of(
	const struct index *x, uint64_t i, uint64_t *at, unsigned *n, unsigned *bytes)
{
	uint64_t first_4 = x->n_4 < i ? x->n_4 : i, place = x->place;
	*bytes = 4;
	if (i < x->n_4) {
		*n = 2;
		place += 4 * first_4;
	} else if (i < x->n_4 + x->n_2) {
		*n = 16;
		*bytes = 2;
		place += 4 * x->n_4 + 2 * (i - x->n_4);
	} else {
		*n = 2;
		place += 4 * x->n_4 + 2 * x->n_2 + 4 * (i - x->n_4 - x->n_2);
	}
	/* Packs are aligned on the disk. */
	uint64_t inside = place & ((uint64_t)*n * *bytes - 1);
	*at = place - inside;
	return inside / *bytes;
}

/* The blocks of the heads in a pack follow each other from the one that it names. */
static int place_heads(struct index *x, uint32_t base)
{
	bool big = x->advise & (ADVISE_BIG_1 | ADVISE_BIG_2);
	uint64_t block = base + (big ? UINT64_C(0) : UINT64_C(1));
	for (unsigned i = 0; i < x->n_unpacked; i++) {
		struct lcluster *c = &x->unpacked[i];
		bool counts = c->type == TYPE_CONTINUED && (c->low & BLOCK_COUNT);
		if (counts && big &&
			(i == 0 || x->unpacked[i - 1].type == TYPE_CONTINUED))
			block += c->low & (BLOCK_COUNT - 1);
		if (c->type == TYPE_CONTINUED)
			continue;
		c->block = block & UINT32_MAX;
		const struct lcluster *next = i + 1 < x->n_unpacked ? c + 1 : NULL;
		if (big && next && next->type == TYPE_CONTINUED &&
			(next->low & BLOCK_COUNT))
			block += next->low & (BLOCK_COUNT - 1);
		else
			block++;
	}
	return 0;
}

static int unpack(struct index *x, uint64_t at, unsigned n, unsigned bytes)
{
	uint8_t d[32 + 4] = {0};
	unsigned size = n * bytes, each = (size - 4) * 8 / n;
	unsigned low_bits = x->bits < 12 ? 12 : x->bits;
	int r = get(x, at, d, size);
	if (r < 0)
		return r;
	if (low_bits + 2 > each)
		return malformed(x, "clusters too large for a compact index");
	for (unsigned i = 0; i < n; i++) {
		unsigned bit = i * each;
		uint32_t v = get_le32(d + bit / 8) >> (bit & 7);
		x->unpacked[i] = (struct lcluster){
			.type = v >> low_bits & 3, .low = v & ((1u << low_bits) - 1)};
	}
	x->n_unpacked = n;
	return place_heads(x, get_le32(d + size - 4));
}

static int get_compact(struct index *x, uint64_t i, struct lcluster *c)
{
	uint64_t at;
	unsigned n, bytes;
	uint64_t inside = pack_of(x, i, &at, &n, &bytes);
	if (x->pack != at) {
		int r = unpack(x, at, n, bytes);
		if (r < 0)
			return r;
		x->pack = at;
	}
	*c = x->unpacked[inside];
	x->end = at + (uint64_t)n * bytes;
	return 0;
}

static int get_cluster(struct index *x, uint64_t i, struct lcluster *c)
{
	*c = (struct lcluster){0};
	if (x->inode->layout == LAYOUT_FULL)
		return get_full(x, i, c);
	return get_compact(x, i, c);
}

/* ---- the header -------------------------------------------------------------------- */

/* Returns 1 if all of the file is a fragment. */
static int read_header(struct index *x)
{
	uint8_t h[HEADER_SIZE];
	uint64_t at = (x->inode->behind + 7) & ~UINT64_C(7);
	int r = get(x, at, h, sizeof h);
	if (r < 0)
		return r;
	x->place = at + HEADER_SIZE;
	x->end = x->place;
	if (get_le64(h) & WHOLE_FRAGMENT) {
		x->fragment = get_le64(h) & ~WHOLE_FRAGMENT;
		return 1;
	}
	x->advise = get_le16(h + 4);
	x->algorithms = h[6];
	x->bits = x->e->block_bits + (h[7] & 7);
	x->n = (x->inode->size + (UINT64_C(1) << x->bits) - 1) >> x->bits;
	if (x->advise & ~ADVISE_KNOWN || h[7] >> 3)
		return error_set(STATUS_FORMAT, EOPNOTSUPP,
			"%s: erofs: inode %ju: an index of an unknown kind",
			x->e->file->name, (uintmax_t)x->inode->nid);
	x->fragment = x->advise & ADVISE_FRAGMENT ? get_le32(h) : 0;
	x->tail = x->advise & ADVISE_INLINE_TAIL ? get_le16(h + 2) : 0;
	if (x->inode->layout == LAYOUT_FULL) {
		x->place += 8;
		if (x->n > (x->e->size >> 3))
			return malformed(x, "an index larger than the file system");
		x->end = x->place + 8 * x->n;
		return 0;
	}
	if (x->n > x->e->size)
		return malformed(x, "an index larger than the file system");
	x->pack = UINT64_MAX;
	x->n_4 = ((32 - x->place % 32) / 4) & 7;
	if (x->n_4 > x->n)
		x->n_4 = x->n;
	x->n_2 = x->advise & ADVISE_COMPACT_2 ? (x->n - x->n_4) & ~UINT64_C(15) : 0;
	return 0;
}

/* ---- extents ----------------------------------------------------------------------- */

static enum erofs_coding coding_of(const struct index *x, unsigned type)
{
	static const enum erofs_coding codings[16] = {
		EROFS_LZ4, EROFS_LZMA, EROFS_DEFLATE, EROFS_ZSTD};
	if (type == TYPE_PLAIN)
		return EROFS_PLAIN;
	return codings[type == TYPE_HEAD_1 ? x->algorithms & 15 : x->algorithms >> 4];
}

static bool is_big(const struct index *x, unsigned type)
{
	return type == TYPE_HEAD_2 ? x->advise & ADVISE_BIG_2 : x->advise & ADVISE_BIG_1;
}

static void start_extent(const struct index *x, uint64_t i, const struct lcluster *c,
	struct erofs_extent *out)
{
	*out = (struct erofs_extent){.offset = (i << x->bits) + c->low,
		.place = c->block << x->e->block_bits,
		.stored = UINT64_C(1) << x->bits,
		.coding = coding_of(x, c->type),
		.shifted = c->type == TYPE_PLAIN,
		.interlaced = c->type == TYPE_PLAIN && (x->advise & ADVISE_INTERLACED),
		.partial = c->partial};
	/* Clusters of several blocks say how many, unless it is one. */
	if (is_big(x, c->type))
		out->stored = UINT64_C(1) << x->e->block_bits;
}

/* The last extent, which may be inside the inode or in the packed file. */
static void end_extent(const struct index *x, struct erofs_extent *last)
{
	last->length = x->inode->size - last->offset;
	if (x->tail) {
		last->place = x->end;
		last->stored = x->tail;
	} else if (x->advise & ADVISE_FRAGMENT) {
		uint64_t high = x->inode->layout == LAYOUT_FULL
					? last->place >> x->e->block_bits << 32
					: 0;
		*last = (struct erofs_extent){.offset = last->offset,
			.length = last->length,
			.place = x->fragment | high,
			.stored = last->length,
			.fragment = true};
	}
}

static int walk(struct index *x,
	int (*found)(void *context, const struct erofs_extent *extent), void *context)
{
	struct erofs_extent extent = {0};
	uint64_t head = UINT64_MAX;
	int r = 0;
	for (uint64_t i = 0; r == 0 && i < x->n; i++) {
		struct lcluster c;
		r = get_cluster(x, i, &c);
		if (r < 0)
			return r;
		if (c.type == TYPE_CONTINUED) {
			if (head != UINT64_MAX && i == head + 1 && (c.low & BLOCK_COUNT))
				extent.stored = (uint64_t)(c.low & (BLOCK_COUNT - 1))
						<< x->e->block_bits;
			continue;
		}
		uint64_t start = (i << x->bits) + c.low;
		/* mkfs marks the end of the file as if one more extent began there. */
		if (head != UINT64_MAX && start == x->inode->size && i + 1 == x->n)
			break;
		if (c.low >= UINT64_C(1) << x->bits || start >= x->inode->size ||
			(head == UINT64_MAX ? start != 0 : start <= extent.offset))
			return malformed(x, "extents that are not in order");
		if (head != UINT64_MAX) {
			extent.length = start - extent.offset;
			r = found(context, &extent);
		}
		start_extent(x, i, &c, &extent);
		head = i;
	}
	if (r != 0)
		return r;
	if (head == UINT64_MAX)
		return malformed(x, "no extent in its index");
	end_extent(x, &extent);
	return found(context, &extent);
}

static int compressed(const struct erofs *e, const struct erofs_inode *inode,
	struct erofs_index *index,
	int (*found)(void *context, const struct erofs_extent *extent), void *context)
{
	struct index x = {.e = e, .inode = inode};
	int r = read_header(&x);
	if (r < 0)
		return r;
	if (r > 0) {
		*index = (struct erofs_index){x.place - HEADER_SIZE, HEADER_SIZE};
		return found(context, &(struct erofs_extent){.length = inode->size,
					      .place = x.fragment,
					      .stored = inode->size,
					      .fragment = true});
	}
	index->place = (inode->behind + 7) & ~UINT64_C(7);
	index->size = inode->layout == LAYOUT_FULL ? x.end - index->place
						   : HEADER_SIZE + 4 * x.n_4 + 2 * x.n_2 +
							     4 * (x.n - x.n_4 - x.n_2);
	return walk(&x, found, context);
}

/* Runs of files that are not compressed, as erofs_map gives them. */
static int plain(const struct erofs *e, const struct erofs_inode *inode,
	int (*found)(void *context, const struct erofs_extent *extent), void *context)
{
	int r = 0;
	for (uint64_t at = 0; r == 0 && at < inode->size;) {
		struct erofs_extent x = {.offset = at};
		r = erofs_map(e, inode, at, &x.place, &x.length);
		if (r < 0)
			return r;
		x.stored = x.place == EROFS_HOLE ? 0 : x.length;
		at += x.length;
		r = found(context, &x);
	}
	return r;
}

int erofs_extents(const struct erofs *e, const struct erofs_inode *inode,
	struct erofs_index *index,
	int (*found)(void *context, const struct erofs_extent *extent), void *context)
{
	struct erofs_index unused;
	struct erofs_index *at = index ? index : &unused;
	*at = (struct erofs_index){0};
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode) && !S_ISLNK(inode->mode))
		return 0;
	if (inode->size == 0)
		return 0;
	if (inode->layout == LAYOUT_FULL || inode->layout == LAYOUT_COMPACT)
		return compressed(e, inode, at, found, context);
	if (inode->layout == EROFS_CHUNK_BASED) {
		unsigned bits = e->block_bits + (inode->start & EROFS_CHUNK_BITS_MAX);
		uint64_t n = bits > 62 ? 1 : (inode->size >> bits) + 1;
		*at = (struct erofs_index){
			inode->behind, n > e->size / 4 ? e->size : 4 * n};
	}
	return plain(e, inode, found, context);
}

int erofs_packed(const struct erofs *e, uint64_t *nid)
{
	uint8_t d[8];
	*nid = 0;
	if (!(e->incompatible & INCOMPAT_FRAGMENTS))
		return 0;
	int r = erofs_fetch(e, d, sizeof d, SUPER_PACKED_NID);
	if (r == 0)
		*nid = get_le64(d);
	return r;
}
