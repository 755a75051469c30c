/* SPDX-License-Identifier: MIT */
/*
 * squashfs, by a walk over its directories. Inodes and names are packed together in
 * blocks of metadata: damage to one of them is damage to all that is in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/locator.h"
#include "verifier/squashfs.h"

struct squashfs_map {
	struct locator *l;
	struct squashfs s;
	struct walk walk, hits;
	uint64_t budget; /* blocks of files that may still be looked at */
	uint32_t inode;  /* the one that is looked at */
	size_t node;     /* the directory that is listed */
	bool hit;
};

static int use(struct squashfs_map *m, const struct located *located)
{
	struct located item = *located;
	item.inode = m->inode;
	int r = locator_use(m->l, &item);
	m->hit = m->hit || r > 0;
	return r < 0 ? r : 0;
}

static int touch_inode(void *context, uint64_t place, uint32_t stored)
{
	return use(
		context, &(struct located){
				 .kind = LOCATED_INODE, .offset = place, .size = stored});
}

static int touch_listing(void *context, uint64_t place, uint32_t stored)
{
	struct squashfs_map *m = context;
	/* Its inode was looked at before; the same block comes for each entry. */
	if (!locator_wants(m->l, place, stored))
		return 0;
	size_t n = m->l->n_items;
	const struct located *last = n ? &m->l->items[n - 1] : NULL;
	if (last && last->kind == LOCATED_DIRECTORY && last->inode == m->inode &&
		last->offset < place + stored && last->offset >= place)
		return 0;
	return use(m, &(struct located){.kind = LOCATED_DIRECTORY,
			      .offset = place,
			      .size = stored,
			      .whole = true});
}

/* ---- contents ---------------------------------------------------------------------- */

static int use_data(struct squashfs_map *m, uint64_t place, uint32_t size,
	uint64_t file_offset, uint64_t file_size)
{
	return use(m, &(struct located){.kind = LOCATED_DATA,
			      .offset = place,
			      .size = SQUASHFS_STORED(size),
			      .file_offset = file_offset,
			      .file_size = file_size,
			      .whole = !(size & SQUASHFS_UNPACKED)});
}

/* The tail of a file, with those of others in one block. */
static int use_fragment(struct squashfs_map *m, const struct squashfs_inode *inode)
{
	uint64_t place, start = inode->n_blocks * m->s.block_size;
	uint32_t size;
	int r = squashfs_fragment(&m->s, inode->fragment, &place, &size);
	if (r < 0)
		return r;
	uint64_t length = inode->size - start;
	if (!(size & SQUASHFS_UNPACKED))
		return use_data(m, place, size, start, length);
	/* As it is: only these bytes of the block are this file's. */
	if (inode->fragment_at > SQUASHFS_STORED(size) ||
		length > SQUASHFS_STORED(size) - inode->fragment_at)
		return error_format("%s: squashfs: inode %u: outside its fragment",
			m->s.file->name, inode->number);
	return use_data(m, place + inode->fragment_at,
		(uint32_t)length | SQUASHFS_UNPACKED, start, length);
}

static int use_file(struct squashfs_map *m, const struct squashfs_inode *inode)
{
	struct squashfs_cursor c = inode->behind;
	uint64_t place = inode->blocks;
	int r = 0;
	for (uint64_t i = 0; r == 0 && i < inode->n_blocks; i++) {
		uint8_t d[4];
		if (m->budget == 0)
			return error_format(
				"%s: squashfs: maps that never end", m->s.file->name);
		m->budget--;
		r = squashfs_get(&m->s, &c, d, sizeof d);
		if (r < 0)
			return r;
		uint64_t at = i * m->s.block_size, left = inode->size - at;
		uint32_t size = get_le32(d);
		if (SQUASHFS_STORED(size) > m->s.block_size || place > m->s.size)
			return error_format("%s: squashfs: inode %u: block %ju makes no "
					    "sense",
				m->s.file->name, inode->number, (uintmax_t)i);
		if (SQUASHFS_STORED(size))
			r = use_data(m, place, size, at,
				left < m->s.block_size ? left : m->s.block_size);
		place += SQUASHFS_STORED(size);
	}
	if (r == 0 && inode->fragment != UINT32_MAX)
		r = use_fragment(m, inode);
	return r;
}

/* ---- names ------------------------------------------------------------------------- */

static int tolerate(struct squashfs_map *m, int r)
{
	return r == -ENOMEM ? r : r < 0 ? locator_fault(m->l) : 0;
}

static int name_hit(struct squashfs_map *m, uint32_t inode, struct span name)
{
	BUFFER path = {0};
	int r = walk_see(&m->hits, inode);
	if (r >= 0)
		r = walk_path(&m->walk, m->node, name, &path);
	return r < 0 ? r : locator_name(m->l, inode, buffer_span(&path));
}

static int look(struct squashfs_map *m, uint64_t reference, struct squashfs_inode *inode)
{
	m->hit = false;
	int r = squashfs_inode(&m->s, reference, touch_inode, m, inode);
	if (r == 0 && inode->type == SQUASHFS_FILE)
		r = use_file(m, inode);
	return r;
}

static int take_entry(void *context, const struct squashfs_entry *e)
{
	struct squashfs_map *m = context;
	struct squashfs_inode inode;
	uint32_t listed = m->inode;
	int r = walk_see(&m->walk, e->reference);
	if (r < 0)
		return r;
	m->inode = e->number;
	if (r == 0) {
		r = walk_saw(&m->hits, e->number) ? name_hit(m, e->number, e->name) : 0;
	} else {
		r = look(m, e->reference, &inode);
		bool is_directory = r == 0 && inode.type == SQUASHFS_DIR;
		r = tolerate(m, r);
		if (r == 0 && m->hit)
			r = name_hit(m, e->number, e->name);
		if (r == 0 && is_directory)
			r = walk_add(&m->walk, m->node, e->reference, e->name);
	}
	m->inode = listed;
	return r;
}

static int list(struct squashfs_map *m, uint64_t reference)
{
	struct squashfs_inode dir;
	int r = squashfs_inode(&m->s, reference, NULL, NULL, &dir);
	if (r < 0)
		return r;
	bool known = walk_saw(&m->hits, dir.number);
	m->inode = dir.number;
	m->hit = false;
	size_t n = m->l->n_items;
	r = squashfs_list(&m->s, &dir, touch_listing, take_entry, m);
	/* What the walk over the entries left in `hit` is not this directory's. */
	bool hit = false;
	for (; n < m->l->n_items; n++)
		hit = hit || m->l->items[n].inode == dir.number;
	if (!hit || known)
		return r;
	struct walk_node *node = &m->walk.nodes[m->node];
	size_t here = m->node;
	m->node = node->parent;
	int named = here == 0 ? locator_name(m->l, dir.number, span_of("/", 1))
			      : name_hit(m, dir.number, span_of(node->name, node->size));
	m->node = here;
	return named < 0 ? named : r;
}

/* ---- tables ------------------------------------------------------------------------ */

/* N_BLOCKS blocks of metadata whose places are listed at LIST, and the list. */
static int use_table(
	struct squashfs_map *m, uint64_t at, uint64_t n_blocks, const char *what)
{
	if (at >= m->s.size || n_blocks > (m->s.size - at) / 8)
		return 0;
	int r = locator_meta(m->l, at, 8 * n_blocks, what);
	for (uint64_t i = 0; r == 0 && i < n_blocks; i++) {
		uint8_t d[8], header[2];
		r = file_read(m->s.file, d, sizeof d, m->s.offset + at + 8 * i);
		uint64_t place = r < 0 ? 0 : get_le64(d);
		if (r < 0 || place > m->s.size - 2)
			continue;
		r = file_read(m->s.file, header, sizeof header, m->s.offset + place);
		if (r == 0)
			r = locator_meta(
				m->l, place, 2 + (get_le16(header) & 0x7fffu), what);
	}
	return r;
}

static int use_xattrs(struct squashfs_map *m)
{
	uint8_t d[16];
	if (m->s.xattrs >= m->s.size || m->s.size - m->s.xattrs < sizeof d)
		return 0;
	int r = file_read(m->s.file, d, sizeof d, m->s.offset + m->s.xattrs);
	if (r < 0)
		return r;
	uint64_t values = get_le64(d), n = u64_div_up(get_le32(d + 8), 512);
	const char *what = "extended attributes";
	r = locator_meta(m->l, m->s.xattrs, sizeof d, what);
	if (r == 0 && values < m->s.xattrs)
		r = locator_meta(m->l, values, m->s.xattrs - values, what);
	return r < 0 ? r : use_table(m, m->s.xattrs + sizeof d, n, what);
}

static int use_tables(struct squashfs_map *m)
{
	struct squashfs *s = &m->s;
	int r = locator_meta(m->l, 0, 96, "superblock");
	if (r == 0)
		r = locator_meta(
			m->l, s->inodes, s->directories - s->inodes, "inode table");
	if (r == 0)
		r = use_table(m, s->fragments, u64_div_up(s->n_fragments, 512),
			"fragment table");
	if (r == 0)
		r = use_table(m, s->ids, u64_div_up(s->n_ids, 2048), "table of owners");
	if (r == 0)
		r = use_table(
			m, s->exports, u64_div_up(s->n_inodes, 1024), "export table");
	return r < 0 ? r : use_xattrs(m);
}

/* ---- all of it --------------------------------------------------------------------- */

static int walk_all(struct squashfs_map *m)
{
	struct squashfs_inode root;
	int r = walk_add(&m->walk, 0, m->s.root, span_of("", 0));
	if (r == 0)
		r = walk_see(&m->walk, m->s.root);
	if (r >= 0)
		r = squashfs_inode(&m->s, m->s.root, NULL, NULL, &root);
	if (r == 0) {
		m->inode = root.number;
		r = look(m, m->s.root, &root);
	}
	if (r == 0 && m->hit) {
		r = walk_see(&m->hits, m->inode);
		if (r >= 0)
			r = locator_name(m->l, m->inode, span_of("/", 1));
	}
	r = tolerate(m, r);
	for (m->node = 0; r == 0 && m->node < m->walk.n_nodes; m->node++)
		r = tolerate(m, list(m, m->walk.nodes[m->node].inode));
	return r;
}

int locate_squashfs(struct locator *l)
{
	struct squashfs_map m = {.l = l, .budget = l->size / 4 + 65536};
	int r = squashfs_open(&m.s, l->file, l->offset, l->size);
	if (r == 0) {
		r = tolerate(&m, use_tables(&m));
		if (r == 0)
			r = walk_all(&m);
	} else {
		r = tolerate(&m, r);
	}
	squashfs_close(&m.s);
	walk_free(&m.walk);
	walk_free(&m.hits);
	return r;
}
