/* SPDX-License-Identifier: MIT */
#include "builder/tree_build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/acl.h"
#include "core/path.h"

void tree_builder_free(struct tree_builder *b)
{
	for (size_t i = 0; i < b->n_items; i++) {
		tree_entry_free(&b->items[i].entry);
		free(b->items[i].link);
	}
	free(b->items);
	*b = (struct tree_builder){0};
}

/* Makes room for one more element of SIZE bytes in an array that holds N. */
static int grow(void *arrayp, size_t n, size_t size)
{
	/* A power of two of elements: full exactly when N is one. */
	if (n & (n - 1))
		return 0;
	void *array = reallocarray(*(void **)arrayp, n ? n * 2 : 1, size);
	if (!array)
		return error_memory();
	*(void **)arrayp = array;
	return 0;
}

int tree_builder_add(struct tree_builder *b, char *path, struct tree_item **item)
{
	if (!path || grow(&b->items, b->n_items, sizeof *b->items) < 0) {
		free(path);
		return error_memory();
	}
	*item = &b->items[b->n_items];
	**item = (struct tree_item){.entry = {.path = path}, .order = b->n_items};
	b->n_items++;
	return 0;
}

static bool is_host_namespace(const char *name)
{
	return strncmp(name, "user.", 5) && strncmp(name, "trusted.", 8) &&
	       strncmp(name, "security.", 9) && strcmp(name, ACL_ACCESS) &&
	       strcmp(name, ACL_DEFAULT);
}

int tree_add_xattr(struct tree_entry *e, const char *name, const void *value, size_t size)
{
	if (is_host_namespace(name))
		return 0;
	if (grow(&e->xattrs, e->n_xattrs, sizeof *e->xattrs) < 0)
		return error_memory();
	struct tree_xattr x = {.name = strdup(name), .size = size};
	x.value = size ? malloc(size) : NULL;
	if (!x.name || (size && !x.value)) {
		free(x.name);
		free(x.value);
		return error_memory();
	}
	if (size)
		memcpy(x.value, value, size);
	e->xattrs[e->n_xattrs++] = x;
	return 0;
}

int tree_add_extent(struct tree_entry *e, uint64_t offset, uint64_t size, uint64_t stored)
{
	struct tree_extent *last = e->n_extents ? &e->extents[e->n_extents - 1] : NULL;
	if (last && last->offset + last->size == offset &&
		last->stored + last->size == stored) {
		last->size += size;
		return 0;
	}
	if (grow(&e->extents, e->n_extents, sizeof *e->extents) < 0)
		return error_memory();
	e->extents[e->n_extents++] = (struct tree_extent){offset, size, stored};
	return 0;
}

static int refuse(const struct tree_builder *b, const char *path, const char *why)
{
	char quoted[TREE_QUOTE_SIZE];
	return error_format("%s: %s: %s", b->name, tree_quote(path, quoted), why);
}

static int by_path(const void *a, const void *b)
{
	const struct tree_item *x = a, *y = b;
	int c = tree_compare(x->entry.path, y->entry.path);
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static struct tree_item *find(const struct tree_builder *b, const char *path)
{
	size_t low = 0, high = b->n_items;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = tree_compare(path, b->items[middle].entry.path);
		if (c == 0)
			return &b->items[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A directory may be described twice, then the later description counts. */
static int fold_duplicates(struct tree_builder *b)
{
	size_t kept = 0;
	for (size_t i = 0; i < b->n_items; i++) {
		struct tree_item *item = &b->items[i];
		struct tree_item *last = kept ? &b->items[kept - 1] : NULL;
		if (last && !strcmp(last->entry.path, item->entry.path)) {
			if (last->link || item->link || !S_ISDIR(last->entry.mode) ||
				!S_ISDIR(item->entry.mode))
				return refuse(b, item->entry.path, "comes twice");
			tree_entry_free(&last->entry);
			*last = *item;
		} else {
			b->items[kept++] = *item;
		}
		if (&b->items[kept - 1] != item)
			*item = (struct tree_item){0};
	}
	b->n_items = kept;
	return 0;
}

/* Adds PATH's first LENGTH bytes as a directory with the attributes tree.h states. */
static int add_implied(struct tree_builder *b, const char *path, size_t length)
{
	struct tree_item *item;
	int r = tree_builder_add(b, strndup(path, length), &item);
	if (r == 0)
		item->entry.mode = S_IFDIR | 0755;
	return r;
}

/* The parents of item INDEX; only the SORTED first items can be searched. */
static int check_parents(struct tree_builder *b, size_t index, size_t sorted)
{
	const char *path = b->items[index].entry.path;
	struct tree_builder known = {.items = b->items, .n_items = sorted};
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	if (!parent)
		return error_memory();
	const struct tree_item *item = find(&known, parent);
	bool fits = !item || (!item->link && S_ISDIR(item->entry.mode));
	int r = fits ? 0 : refuse(b, path, "what it lies in is not a directory");
	if (r == 0 && !item)
		r = add_implied(b, parent, strlen(parent));
	free(parent);
	return r;
}

/*
 * Adds the directories that are implied. Those added are examined in turn, as the array
 * grows; siblings may add the same one, which folding makes one again.
 */
static int complete_parents(struct tree_builder *b)
{
	size_t sorted = b->n_items;
	int r = 0;
	if (!find(b, ""))
		r = add_implied(b, "", 0);
	for (size_t i = 0; r == 0 && i < b->n_items; i++)
		if (b->items[i].entry.path[0])
			r = check_parents(b, i, sorted);
	if (r < 0 || b->n_items == sorted)
		return r;
	qsort(b->items, b->n_items, sizeof *b->items, by_path);
	return fold_duplicates(b);
}

/* What a hard link leads to in the end: every link must lead to what came before it. */
static struct tree_item *follow_link(const struct tree_builder *b, struct tree_item *item)
{
	while (item && item->link) {
		struct tree_item *next = find(b, item->link);
		item = next && next->order < item->order ? next : NULL;
	}
	return item && !S_ISDIR(item->entry.mode) ? item : NULL;
}

/* An item and what it is the same file as. */
struct name_of {
	const struct tree_item *file; /* archives */
	dev_t device;                 /* directories */
	ino_t inode;
	size_t index;
};

static int by_file(const void *a, const void *b)
{
	const struct name_of *x = a, *y = b;
	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Says for every item but directories which file it is. */
static int name_files(struct tree_builder *b, struct name_of *names, size_t *n_names)
{
	*n_names = 0;
	for (size_t i = 0; i < b->n_items; i++) {
		struct tree_item *item = &b->items[i], *file = follow_link(b, item);
		item->entry.first_name = i;
		item->entry.n_names = 1;
		if (item->link && !file)
			return refuse(b, item->entry.path,
				"is a hard link to no file that came before it");
		if (file)
			names[(*n_names)++] = (struct name_of){.index = i,
				.file = item->entry.origin.inode ? NULL : file,
				.device = item->entry.origin.device,
				.inode = item->entry.origin.inode};
	}
	return 0;
}

/* DST becomes another name of the file SRC. */
static int copy_attributes(struct tree_entry *dst, const struct tree_entry *src)
{
	struct tree_entry copy = *src;
	copy.path = dst->path;
	copy.extents = NULL;
	copy.n_extents = 0;
	copy.xattrs = NULL;
	copy.n_xattrs = 0;
	copy.target = src->target ? strdup(src->target) : NULL;
	dst->path = NULL;
	tree_entry_free(dst);
	*dst = copy;
	if (src->target && !copy.target)
		return error_memory();
	for (size_t i = 0; i < src->n_xattrs; i++)
		if (tree_add_xattr(dst, src->xattrs[i].name, src->xattrs[i].value,
			    src->xattrs[i].size) < 0)
			return error_memory();
	return 0;
}

/* Lets the first name have the contents: the one in the archive may be another. */
static void move_contents(struct tree_entry *to, struct tree_entry *from)
{
	if (to == from)
		return;
	char *path = to->path;
	to->path = NULL;
	tree_entry_free(to);
	*to = *from;
	to->path = path;
	*from = (struct tree_entry){.path = from->path};
}

static int join(struct tree_builder *b, const struct name_of *names, size_t n)
{
	struct tree_entry *first = &b->items[names[0].index].entry;
	if (names[0].file)
		move_contents(first, &b->items[names[0].file - b->items].entry);
	first->first_name = names[0].index;
	first->n_names = (uint32_t)n;
	int r = 0;
	for (size_t i = 1; r == 0 && i < n; i++)
		r = copy_attributes(&b->items[names[i].index].entry, first);
	return r;
}

static int join_hard_links(struct tree_builder *b)
{
	struct name_of *names = calloc(b->n_items, sizeof *names);
	size_t n_names = 0, n;
	int r = names ? name_files(b, names, &n_names) : error_memory();
	if (r == 0)
		qsort(names, n_names, sizeof *names, by_file);
	for (size_t i = 0; r == 0 && i < n_names; i += n) {
		for (n = 1; i + n < n_names; n++)
			if (names[i].file != names[i + n].file ||
				names[i].inode != names[i + n].inode ||
				names[i].device != names[i + n].device)
				break;
		if (n > 1)
			r = join(b, names + i, n);
	}
	free(names);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tree_xattr *)a)->name,
		((const struct tree_xattr *)b)->name);
}

static bool is_same_xattr(const struct tree_xattr *a, const struct tree_xattr *b)
{
	return !strcmp(a->name, b->name) && a->size == b->size &&
	       (!a->size || !memcmp(a->value, b->value, a->size));
}

/* libarchive's own archives carry every attribute twice, in two encodings. */
static void fold_xattrs(struct tree_entry *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		if (kept && is_same_xattr(&e->xattrs[kept - 1], &e->xattrs[i])) {
			free(e->xattrs[i].name);
			free(e->xattrs[i].value);
		} else {
			e->xattrs[kept++] = e->xattrs[i];
		}
	}
	e->n_xattrs = kept;
}

static int check_xattrs(const struct tree_builder *b, struct tree_entry *e)
{
	if (e->n_xattrs)
		qsort(e->xattrs, e->n_xattrs, sizeof *e->xattrs, by_name);
	fold_xattrs(e);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct tree_xattr *x = &e->xattrs[i];
		if (strlen(x->name) > TREE_NAME_MAX || strchr(x->name, '='))
			return refuse(b, e->path,
				"an attribute's name is too long or has a '=' in it");
		if (x->size > TREE_XATTR_MAX)
			return refuse(b, e->path, "an attribute is larger than 64 KiB");
		if (i && !strcmp(x->name, x[-1].name))
			return refuse(b, e->path, "an attribute comes twice");
	}
	return 0;
}

/* Whether directory PARENT is what PATH lies in, at whatever depth. */
static bool is_below(const char *path, const char *parent)
{
	size_t length = strlen(parent);
	return length == 0 || (!strncmp(path, parent, length) && path[length] == '/');
}

static void set_parents(struct tree *tree)
{
	for (size_t i = 1; i < tree->n_entries; i++) {
		size_t parent = i - 1;
		while (!is_below(tree->entries[i].path, tree->entries[parent].path))
			parent = tree->entries[parent].parent;
		tree->entries[i].parent = parent;
	}
}

int tree_builder_finish(struct tree_builder *b, struct tree *tree)
{
	if (b->n_items)
		qsort(b->items, b->n_items, sizeof *b->items, by_path);
	int r = fold_duplicates(b);
	if (r == 0)
		r = complete_parents(b);
	if (r == 0)
		r = join_hard_links(b);
	for (size_t i = 0; r == 0 && i < b->n_items; i++)
		r = check_xattrs(b, &b->items[i].entry);
	if (r < 0)
		return r;
	tree->entries = calloc(b->n_items, sizeof *tree->entries);
	if (!tree->entries)
		return error_memory();
	for (size_t i = 0; i < b->n_items; i++) {
		tree->entries[i] = b->items[i].entry;
		b->items[i].entry = (struct tree_entry){0};
	}
	tree->n_entries = b->n_items;
	set_parents(tree);
	return 0;
}
