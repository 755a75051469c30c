/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "verifier/locate.h"

const char *located_kind_name(enum located_kind kind)
{
	static const char *const names[] = {"data", "directory", "symlink", "attributes",
		"inode", "map", "blob", "metadata", "unused", "unknown"};
	return names[kind];
}

/* The names of INODE: the first in *FIRST, their number as the result. */
static size_t names_of(const struct locator *l, uint64_t inode, size_t *first)
{
	size_t low = 0, high = l->n_names;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->names[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	size_t n = 0;
	while (low + n < l->n_names && l->names[low + n].inode == inode)
		n++;
	return n;
}

static bool has_inode(const struct located *item)
{
	return item->kind < LOCATED_BLOB;
}

/* ---- for people -------------------------------------------------------------------- */

/* The length of the UTF-8 sequence at the start of S that is no control; 0 if none. */
static size_t printable(struct span s)
{
	uint8_t c = s.data[0];
	if (c < 0x80)
		return c >= 0x20 && c != 0x7f && c != '\\';
	size_t n = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
	if (c < 0xc2 || c > 0xf4 || s.size < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
	bool overlong =
		(c == 0xe0 && s.data[1] < 0xa0) || (c == 0xf0 && s.data[1] < 0x90);
	bool beyond =
		(c == 0xed && s.data[1] >= 0xa0) || (c == 0xf4 && s.data[1] >= 0x90);
	bool control = c == 0xc2 && s.data[1] < 0xa0;
	return overlong || beyond || control ? 0 : n;
}

int locator_print_path(struct span path, struct buffer *text)
{
	int r = 0;
	while (r == 0 && path.size) {
		size_t n = printable(path);
		r = n ? buffer_append(text, path.data, n)
		      : buffer_printf(text, "\\x%02x", path.data[0]);
		n += n == 0;
		path = span_of(path.data + n, path.size - n);
	}
	return r;
}

static int print_names(const struct locator *l, uint64_t inode, struct buffer *text)
{
	size_t first, n = names_of(l, inode, &first);
	if (n == 0)
		return buffer_printf(text, "inode %ju", (uintmax_t)inode);
	int r = locator_print_path(
		span_of(l->names[first].path, l->names[first].size), text);
	if (r == 0 && n > 1) {
		r = buffer_printf(text, " (also ");
		if (r == 0)
			r = locator_print_path(span_of(l->names[first + 1].path,
						       l->names[first + 1].size),
				text);
		if (r == 0 && n > 2)
			r = buffer_printf(text, " and %zu more", n - 2);
		if (r == 0)
			r = buffer_printf(text, ")");
	}
	return r;
}

static int print_bytes(const struct located *item, struct buffer *text)
{
	if (item->file_size == 0)
		return buffer_printf(text, ", behind its end");
	return buffer_printf(text, " bytes %ju-%ju%s", (uintmax_t)item->file_offset,
		(uintmax_t)(item->file_offset + item->file_size - 1),
		item->whole ? " (compressed together)" : "");
}

int locator_describe_item(
	const struct locator *l, const struct located *item, struct buffer *text)
{
	static const char *const before[] = {[LOCATED_DIRECTORY] = "directory block of ",
		[LOCATED_SYMLINK] = "target of the symbolic link ",
		[LOCATED_ATTRIBUTES] = "attributes of ",
		[LOCATED_INODE] = "inode of ",
		[LOCATED_MAP] = "block map of "};
	if (item->kind == LOCATED_UNUSED)
		return buffer_printf(text, "unused");
	if (item->kind == LOCATED_UNKNOWN)
		return buffer_printf(text, "nothing is known of it");
	int r = has_inode(item) ? 0 : buffer_printf(text, "%s", item->what);
	if (item->kind == LOCATED_BLOB && r == 0)
		return print_bytes(item, text);
	if (!has_inode(item))
		return r;
	if (before[item->kind])
		r = buffer_printf(text, "%s", before[item->kind]);
	if (r == 0)
		r = print_names(l, item->inode, text);
	return r == 0 && item->kind == LOCATED_DATA ? print_bytes(item, text) : r;
}

/* Whether B says of bytes what A says of those before. */
static bool same(const struct located *a, const struct located *b)
{
	if (a->kind != b->kind || a->inode != b->inode || a->what != b->what)
		return false;
	return (a->kind != LOCATED_DATA && a->kind != LOCATED_BLOB) ||
	       (a->file_offset == b->file_offset && a->file_size == b->file_size);
}

int locator_describe(const struct locator *l, uint64_t offset, uint64_t size,
	size_t limit, struct buffer *text)
{
	const struct located *last = NULL;
	size_t n = 0, more = 0;
	int r = 0;
	for (size_t i = locator_first(l, offset);
		r == 0 && i < l->n_items && l->items[i].offset < offset + size; i++) {
		const struct located *item = &l->items[i];
		/* Slack next to what is used says nothing. */
		bool slack = item->kind >= LOCATED_UNUSED && item->size < 512;
		if (slack || (last && same(last, item)))
			continue;
		last = item;
		if (n == limit) {
			more++;
			continue;
		}
		r = buffer_printf(text, "%s", n++ ? "; " : "");
		if (r == 0)
			r = locator_describe_item(l, item, text);
	}
	if (r == 0 && more)
		r = buffer_printf(text, "; and %zu more", more);
	return r;
}

/* ---- for programs ------------------------------------------------------------------ */

static void add_bytes(json_object *o, const struct located *item)
{
	json_add_number(o, "fileOffset", item->file_offset);
	json_add_number(o, "fileSize", item->file_size);
	json_add_bool(o, "compressed", item->whole);
}

json_object *locator_item_json(const struct locator *l, const struct located *item)
{
	json_object *o = json_object_new_object();
	json_add_text(o, "kind", located_kind_name(item->kind));
	json_add_number(o, "offset", l->offset + item->offset);
	json_add_number(o, "size", item->size);
	if (!has_inode(item)) {
		if (item->what)
			json_add_text(o, "what", item->what);
		if (item->kind == LOCATED_BLOB)
			add_bytes(o, item);
		return o;
	}
	json_add_number(o, "inode", item->inode);
	size_t first, n = names_of(l, item->inode, &first);
	json_object *paths = json_object_new_array();
	for (size_t i = first; i < first + n; i++) {
		json_object *p = json_object_new_object();
		json_add_bytes(p, "path", span_of(l->names[i].path, l->names[i].size));
		json_append(paths, p);
	}
	json_add(o, "names", paths);
	if (item->kind == LOCATED_DATA)
		add_bytes(o, item);
	return o;
}

json_object *locator_json(const struct locator *l, uint64_t offset, uint64_t size)
{
	json_object *list = json_object_new_array();
	for (size_t i = locator_first(l, offset);
		i < l->n_items && l->items[i].offset < offset + size; i++)
		json_append(list, locator_item_json(l, &l->items[i]));
	return list;
}
