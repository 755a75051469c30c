/* SPDX-License-Identifier: MIT */
/* erofs, by a walk over its directories; compressed files by their indexes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/erofs_extents.h"
#include "verifier/locator.h"

struct erofs_map {
	struct locator *l;
	struct erofs e;
	struct walk walk;
	/*
	 * What may still be looked at, in entries of indexes. Files that do not share
	 * theirs need at most one for every two bytes of the file system.
	 */
	uint64_t budget;
	struct walk hits; /* only to remember inodes that were asked for */
	/* What was asked for of the file that holds fragments, in bytes of that file. */
	struct located *fragments; /* owned */
	size_t n_fragments;
	bool in_packed;
	/* The inode that is looked at. */
	struct erofs_inode inode;
	size_t node; /* the directory that is listed */
	bool hit;
};

static int use(struct erofs_map *m, const struct located *located)
{
	struct located item = *located;
	item.inode = m->inode.nid;
	if (m->in_packed) {
		item.kind = LOCATED_META;
		item.what = "fragments";
	}
	int r = locator_use(m->l, &item);
	m->hit = m->hit || r > 0;
	return r < 0 ? r : 0;
}

/* ---- contents ---------------------------------------------------------------------- */

static enum located_kind kind_of(mode_t mode)
{
	return S_ISDIR(mode)   ? LOCATED_DIRECTORY
	       : S_ISLNK(mode) ? LOCATED_SYMLINK
			       : LOCATED_DATA;
}

/* A fragment of a file is hit where the packed file is: both ways by its logical bytes.
 */
static int use_fragment(struct erofs_map *m, const struct erofs_extent *x)
{
	for (size_t i = 0; i < m->n_fragments; i++) {
		const struct located *f = &m->fragments[i];
		uint64_t end = f->file_offset + f->file_size;
		if (f->file_offset >= x->place + x->length || end <= x->place)
			continue;
		uint64_t from = f->file_offset > x->place ? f->file_offset : x->place;
		uint64_t to = end < x->place + x->length ? end : x->place + x->length;
		int r = use(m, &(struct located){.kind = LOCATED_DATA,
				       .offset = f->offset,
				       .size = f->size,
				       .file_offset = x->offset + (from - x->place),
				       .file_size = to - from,
				       .whole = true});
		if (r < 0)
			return r;
	}
	return 0;
}

/* Keeps which bytes of the packed file were asked for. */
static int keep_fragment(struct erofs_map *m, const struct erofs_extent *x)
{
	if (!locator_wants(m->l, x->place, x->stored))
		return 0;
	struct located *more =
		reallocarray(m->fragments, m->n_fragments + 1, sizeof *more);
	if (!more)
		return error_memory();
	m->fragments = more;
	m->fragments[m->n_fragments++] = (struct located){.offset = x->place,
		.size = x->stored,
		.file_offset = x->offset,
		.file_size = x->length};
	return 0;
}

static int take_extent(void *context, const struct erofs_extent *x)
{
	struct erofs_map *m = context;
	if (m->budget == 0)
		return error_format("%s: erofs: maps that never end", m->e.file->name);
	m->budget--;
	if (x->place == EROFS_HOLE)
		return 0;
	uint64_t end;
	if (u64_add(x->place, x->length, &end) || u64_add(x->place, x->stored, &end))
		return error_format("%s: erofs: inode %ju: contents outside the file "
				    "system",
			m->e.file->name, (uintmax_t)m->inode.nid);
	if (x->fragment)
		return use_fragment(m, x);
	if (m->in_packed) {
		int r = keep_fragment(m, x);
		if (r < 0)
			return r;
	}
	bool whole = x->coding != EROFS_PLAIN || x->shifted;
	return use(m, &(struct located){.kind = kind_of(m->inode.mode),
			      .offset = x->place,
			      .size = x->stored,
			      .file_offset = x->offset,
			      .file_size = x->length,
			      .whole = whole});
}

/* ---- attributes -------------------------------------------------------------------- */

/* Those that several inodes share are behind numbers of 4-byte units. */
static int use_shared(struct erofs_map *m)
{
	uint8_t header[EROFS_XATTR_HEADER_SIZE], number[4], entry[EROFS_XATTR_ENTRY_SIZE];
	uint64_t base = m->e.offset;
	int r = file_read(m->e.file, header, sizeof header, base + m->inode.xattrs);
	for (unsigned i = 0; r == 0 && i < header[4]; i++) {
		uint64_t at = m->inode.xattrs + sizeof header + 4 * (uint64_t)i;
		if (at + 4 > m->inode.behind)
			break;
		r = file_read(m->e.file, number, sizeof number, base + at);
		at = m->e.shared_xattrs + 4 * (uint64_t)get_le32(number);
		if (r < 0 || at > m->e.size || sizeof entry > m->e.size - at)
			break;
		r = file_read(m->e.file, entry, sizeof entry, base + at);
		if (r == 0)
			r = use(m, &(struct located){.kind = LOCATED_ATTRIBUTES,
					   .offset = at,
					   .size = sizeof entry + entry[0] +
						   get_le16(entry + 2)});
	}
	return r;
}

static int use_inode(struct erofs_map *m)
{
	uint64_t at = m->e.metadata + m->inode.nid * EROFS_SLOT;
	int r = use(m, &(struct located){.kind = LOCATED_INODE,
			       .offset = at,
			       .size = m->inode.xattrs - at});
	if (r == 0 && m->inode.xattr_size)
		r = use(m, &(struct located){.kind = LOCATED_ATTRIBUTES,
				   .offset = m->inode.xattrs,
				   .size = m->inode.xattr_size});
	if (r == 0 && m->inode.xattr_size >= EROFS_XATTR_HEADER_SIZE)
		r = use_shared(m);
	return r;
}

/* ---- one inode --------------------------------------------------------------------- */

static int look(struct erofs_map *m)
{
	struct erofs_index index;
	uint64_t clusters = m->inode.size >> m->e.block_bits;
	bool compressed = m->inode.layout == 1 || m->inode.layout == 3;
	m->hit = false;
	int r = use_inode(m);
	if (r < 0)
		return r;
	if (compressed && clusters > m->budget)
		return error_format("%s: erofs: inode %ju: an index larger than the file "
				    "system",
			m->e.file->name, (uintmax_t)m->inode.nid);
	m->budget -= compressed ? clusters : 0;
	r = erofs_extents(&m->e, &m->inode, &index, take_extent, m);
	if (r == 0 && index.size)
		r = use(m, &(struct located){.kind = LOCATED_MAP,
				   .offset = index.place,
				   .size = index.size});
	return r;
}

/* What is wrong with one inode is told, and does not end the walk; lack of memory does.
 */
static int tolerate(struct erofs_map *m, int r)
{
	return r == -ENOMEM ? r : r < 0 ? locator_fault(m->l) : 0;
}

static int name_hit(struct erofs_map *m, uint64_t nid, struct span name)
{
	BUFFER path = {0};
	int r = walk_see(&m->hits, nid);
	if (r >= 0)
		r = walk_path(&m->walk, m->node, name, &path);
	return r < 0 ? r : locator_name(m->l, nid, buffer_span(&path));
}

static int take_entry(void *context, struct span name, uint64_t nid)
{
	struct erofs_map *m = context;
	if (m->budget == 0)
		return error_format("%s: erofs: maps that never end", m->e.file->name);
	m->budget--;
	int r = walk_see(&m->walk, nid);
	if (r < 0)
		return r;
	if (r == 0)
		return walk_saw(&m->hits, nid) ? name_hit(m, nid, name) : 0;
	r = erofs_inode(&m->e, nid, &m->inode);
	if (r == 0)
		r = look(m);
	else
		m->hit = false;
	bool is_directory = r == 0 && S_ISDIR(m->inode.mode);
	r = tolerate(m, r);
	if (r == 0 && m->hit)
		r = name_hit(m, nid, name);
	if (r == 0 && is_directory)
		r = walk_add(&m->walk, m->node, nid, name);
	return r;
}

/* ---- all of it --------------------------------------------------------------------- */

static int use_superblock(struct erofs_map *m)
{
	uint8_t s[EROFS_SUPER_SIZE];
	int r = file_read(m->e.file, s, sizeof s, m->e.offset + EROFS_SUPER_OFFSET);
	uint64_t size = EROFS_SUPER_SIZE + 16 * (uint64_t)s[13];
	/* What each algorithm was told follows, if there is any: a length, then bytes. */
	for (unsigned bits = m->e.incompatible & 2 ? get_le16(s + 84) : 0; r == 0 && bits;
		bits &= bits - 1) {
		uint8_t length[2];
		r = file_read(m->e.file, length, sizeof length,
			m->e.offset + EROFS_SUPER_OFFSET + size);
		size += 2 + (uint64_t)get_le16(length);
	}
	return r < 0 ? r : locator_meta(m->l, EROFS_SUPER_OFFSET, size, "superblock");
}

/* Fragments first: of them it must be known what was asked for. */
static int look_at_packed(struct erofs_map *m)
{
	uint64_t nid;
	int r = erofs_packed(&m->e, &nid);
	if (r < 0 || nid == 0)
		return r;
	r = erofs_inode(&m->e, nid, &m->inode);
	if (r < 0)
		return r;
	m->in_packed = true;
	r = look(m);
	m->in_packed = false;
	int seen = walk_see(&m->walk, nid);
	return r < 0 ? r : seen < 0 ? seen : 0;
}

/* Blocks without a name in them would otherwise cost nothing. */
static int spend_blocks(struct erofs_map *m, const struct erofs_inode *dir)
{
	uint64_t n = (dir->size >> m->e.block_bits) + 1;
	if (n > m->budget)
		return error_format(
			"%s: erofs: directories that never end", m->e.file->name);
	m->budget -= n;
	return 0;
}

static int walk_all(struct erofs_map *m)
{
	int r = walk_add(&m->walk, 0, m->e.root, span_of("", 0));
	if (r == 0)
		r = walk_see(&m->walk, m->e.root);
	if (r >= 0)
		r = tolerate(m, erofs_inode(&m->e, m->e.root, &m->inode));
	if (r == 0)
		r = tolerate(m, look(m));
	if (r == 0 && m->hit)
		r = locator_name(m->l, m->e.root, span_of("/", 1));
	for (m->node = 0; r == 0 && m->node < m->walk.n_nodes; m->node++) {
		struct erofs_inode dir;
		r = erofs_inode(&m->e, m->walk.nodes[m->node].inode, &dir);
		if (r == 0)
			r = spend_blocks(m, &dir);
		if (r == 0)
			r = erofs_list(&m->e, &dir, take_entry, m);
		r = tolerate(m, r);
	}
	return r;
}

int locate_erofs(struct locator *l)
{
	struct erofs_map m = {.l = l, .budget = l->size / 2 + 65536};
	int r = erofs_open(&m.e, l->file, l->offset, l->size);
	if (r < 0)
		return tolerate(&m, r);
	r = tolerate(&m, use_superblock(&m));
	if (r == 0)
		r = tolerate(&m, look_at_packed(&m));
	if (r == 0)
		r = walk_all(&m);
	walk_free(&m.walk);
	walk_free(&m.hits);
	free(m.fragments);
	return r;
}
