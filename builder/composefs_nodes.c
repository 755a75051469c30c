/* SPDX-License-Identifier: MIT */
#include "builder/composefs_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/hex.h"

#define NAME_MAX_BYTES 255
/* The kernel's limit for what erofs keeps of one inode's attributes, halved for ours. */
#define XATTRS_MAX (UINT16_MAX / 2)

void composefs_nodes_free(struct composefs_nodes *n)
{
	for (size_t i = 0; i < n->n_nodes; i++) {
		struct composefs_node *node = &n->nodes[i];
		for (size_t k = 0; k < node->n_xattrs; k++) {
			free(node->xattrs[k].name);
			free(node->xattrs[k].value);
		}
		free(node->xattrs);
		free(node->dirents);
		free(node->name);
	}
	free(n->nodes);
	free(n->order);
	free(n->shared);
	*n = (struct composefs_nodes){0};
}

/* ---- attributes -------------------------------------------------------------------- */

/* Adds an attribute, or replaces the one of that name. NAME is copied. */
static int set_xattr(
	struct composefs_node *node, const char *name, const void *value, size_t size)
{
	struct composefs_xattr *x = node->xattrs;
	size_t i = 0;
	while (i < node->n_xattrs && strcmp(x[i].name, name))
		i++;
	uint8_t *copy = malloc(size + 1);
	if (!copy)
		return error_memory();
	memcpy(copy, size ? value : "", size);
	if (i < node->n_xattrs) {
		free(x[i].value);
		x[i].value = copy;
		x[i].size = size;
		return 0;
	}
	x = realloc(x, (i + 1) * sizeof *x);
	char *own = strdup(name);
	if (x)
		node->xattrs = x;
	if (!x || !own) {
		free(own);
		free(copy);
		return error_memory();
	}
	x[i] = (struct composefs_xattr){own, copy, size, -1};
	node->n_xattrs++;
	return 0;
}

/*
 * overlayfs would take trusted.overlay.* of the tree for its own; with one more
 * "overlay." in front it hands them through.
 */
static int copy_xattrs(struct composefs_node *node, const struct tree_entry *entry)
{
	static const char own[] = "trusted.overlay.";
	size_t bytes = 0;
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct tree_xattr *x = &entry->xattrs[i];
		char escaped[512];
		const char *name = x->name;
		if (!strncmp(name, own, sizeof own - 1)) {
			snprintf(escaped, sizeof escaped, "%soverlay.%s", own,
				name + sizeof own - 1);
			name = escaped;
		}
		bytes += strlen(name) + x->size + 4;
		if (bytes > XATTRS_MAX)
			return error_format(
				"%s: its extended attributes take more than %d bytes",
				entry->path, XATTRS_MAX);
		int r = set_xattr(node, name, x->value, x->size);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The attributes by which overlayfs finds the blob and checks it. */
static int add_blob(struct composefs_node *node)
{
	/* struct ovl_metacopy: version, length, flags, FS_VERITY_HASH_ALG_SHA256. */
	uint8_t metacopy[4 + COMPOSEFS_DIGEST_SIZE] = {0, sizeof metacopy, 0, 1};
	char path[COMPOSEFS_PATH_SIZE + 1] = "/";
	memcpy(metacopy + 4, node->digest, COMPOSEFS_DIGEST_SIZE);
	composefs_path(node->digest, path + 1);
	int r = set_xattr(node, "trusted.overlay.metacopy", metacopy, sizeof metacopy);
	return r < 0 ? r
		     : set_xattr(node, "trusted.overlay.redirect", path, strlen(path));
}

static bool is_whiteout(const struct tree_entry *e)
{
	return S_ISCHR(e->mode) && e->major == 0 && e->minor == 0;
}

/* A whiteout of the tree becomes a file that overlayfs shows as one, and does not use. */
static int escape_whiteout(struct composefs_nodes *n, struct composefs_node *node)
{
	struct composefs_node *parent = &n->nodes[node->parent];
	node->mode = S_IFREG | (node->mode & ~(mode_t)S_IFMT);
	node->size = 0;
	int r = set_xattr(node, "trusted.overlay.overlay.whiteout", "", 0);
	if (r == 0)
		r = set_xattr(node, "user.overlay.whiteout", "", 0);
	if (r == 0)
		r = set_xattr(parent, "trusted.overlay.overlay.whiteouts", "", 0);
	if (r == 0)
		r = set_xattr(parent, "user.overlay.whiteouts", "", 0);
	if (r == 0 && n->format >= 1)
		r = set_xattr(parent, "trusted.overlay.overlay.opaque", "x", 1);
	if (r == 0 && n->format >= 1)
		r = set_xattr(parent, "user.overlay.opaque", "x", 1);
	return r;
}

static int add_overlay_xattrs(struct composefs_nodes *n, size_t n_entries)
{
	for (size_t i = 0; i < n_entries; i++) {
		struct composefs_node *node = &n->nodes[i];
		int r = 0;
		if (node->link != i)
			continue;
		if (node->digest)
			r = add_blob(node);
		else if (is_whiteout(node->entry))
			r = escape_whiteout(n, node);
		if (r < 0)
			return r;
	}
	/* The root hides what the data layers below have. */
	return set_xattr(&n->nodes[0], "trusted.overlay.opaque", "y", 1);
}

/* ---- nodes ------------------------------------------------------------------------- */

static int copy_entry(struct composefs_nodes *n, size_t i, const struct tree *tree,
	const uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE])
{
	const struct tree_entry *e = &tree->entries[i];
	struct composefs_node *node = &n->nodes[i];
	*node = (struct composefs_node){.entry = e,
		.mode = e->mode,
		.n_links = e->n_names,
		.uid = e->uid,
		.gid = e->gid,
		.mtime = e->mtime,
		.mtime_ns = e->mtime_ns,
		.size = S_ISREG(e->mode) || S_ISLNK(e->mode) ? e->size : 0,
		.device = S_ISCHR(e->mode) || S_ISBLK(e->mode)
				  ? (uint32_t)makedev(e->major, e->minor)
				  : 0,
		.digest = composefs_has_blob(e) ? digests[i] : NULL,
		.link = e->first_name};
	n->n_nodes = i + 1;
	if (strlen(tree_base(e)) > NAME_MAX_BYTES)
		return error_format(
			"%s: a name of more than %d bytes", e->path, NAME_MAX_BYTES);
	return node->link == i ? copy_xattrs(node, e) : 0;
}

/* Finds each entry's directory: the nearest one before it that its path goes through. */
static void find_parents(struct composefs_nodes *n, size_t n_entries)
{
	size_t open = 0;
	for (size_t i = 1; i < n_entries; i++) {
		const char *path = n->nodes[i].entry->path;
		for (;; open = n->nodes[open].parent) {
			const char *above = n->nodes[open].entry->path;
			size_t length = strlen(above);
			if (S_ISDIR(n->nodes[open].mode) &&
				(!length || (!strncmp(path, above, length) &&
						    path[length] == '/')))
				break;
		}
		n->nodes[i].parent = open;
		open = i;
	}
}

static const char *node_name(const struct composefs_node *node)
{
	return node->name ? node->name : tree_base(node->entry);
}

static bool root_has(const struct composefs_nodes *n, size_t n_entries, const char *name)
{
	for (size_t i = 1; i < n_entries; i++)
		if (n->nodes[i].parent == 0 && !strcmp(node_name(&n->nodes[i]), name))
			return true;
	return false;
}

/*
 * Blobs are found in directories 00 to ff of the data layers; whiteouts in the root keep
 * these names from being seen.
 */
static int add_root_whiteouts(struct composefs_nodes *n, size_t n_entries)
{
	const struct composefs_node *root = &n->nodes[0];
	for (unsigned byte = 0; byte < 256; byte++) {
		char name[3];
		uint8_t value = (uint8_t)byte;
		if (root_has(n, n_entries, hex_encode(&value, 1, name)))
			continue;
		size_t at = n->n_nodes++;
		struct composefs_node *node = &n->nodes[at];
		*node = (struct composefs_node){.mode = S_IFCHR | 0644,
			.n_links = 1,
			.uid = root->uid,
			.gid = root->gid,
			.mtime = root->mtime,
			.mtime_ns = root->mtime_ns,
			.link = at,
			.name = strdup(name)};
		if (!node->name)
			return error_memory();
		for (size_t i = 0; i < root->n_xattrs; i++) {
			const struct composefs_xattr *x = &root->xattrs[i];
			if (!strcmp(x->name, "security.selinux") &&
				set_xattr(node, x->name, x->value, x->size) < 0)
				return error_memory();
		}
	}
	return 0;
}

/* ---- order ------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct composefs_dirent *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int by_xattr_name(const void *a, const void *b)
{
	const struct composefs_xattr *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static void add_dirent(struct composefs_node *dir, const char *name, size_t node)
{
	dir->dirents[dir->n_dirents++] =
		(struct composefs_dirent){name, strlen(name), node};
}

/* Lists each directory's entries, and counts its subdirectories into its links. */
static int list_directories(struct composefs_nodes *n)
{
	for (size_t i = 1; i < n->n_nodes; i++)
		n->nodes[n->nodes[i].parent].n_dirents++;
	for (size_t i = 0; i < n->n_nodes; i++) {
		struct composefs_node *dir = &n->nodes[i];
		if (!S_ISDIR(dir->mode))
			continue;
		dir->dirents = calloc(dir->n_dirents + 2, sizeof *dir->dirents);
		if (!dir->dirents)
			return error_memory();
		dir->n_dirents = 0;
		dir->n_links = 2;
		add_dirent(dir, ".", i);
		add_dirent(dir, "..", dir->parent);
	}
	for (size_t i = 1; i < n->n_nodes; i++) {
		const struct composefs_node *node = &n->nodes[i];
		struct composefs_node *dir = &n->nodes[node->parent];
		add_dirent(dir, node_name(node), node->link);
		dir->n_links += S_ISDIR(node->mode) ? 1 : 0;
	}
	for (size_t i = 0; i < n->n_nodes; i++)
		if (n->nodes[i].dirents)
			qsort(n->nodes[i].dirents, n->nodes[i].n_dirents,
				sizeof *n->nodes[i].dirents, by_name);
	return 0;
}

/* True if the dirent is where the node itself stands, not a further name or a dot. */
static bool is_home(
	const struct composefs_nodes *n, size_t dir, const struct composefs_dirent *d)
{
	const struct composefs_node *node = &n->nodes[d->node];
	return d->node != 0 && node->parent == dir && d->node != dir &&
	       !strcmp(node_name(node), d->name);
}

static void note_node(struct composefs_nodes *n, struct composefs_node *node)
{
	node->number = (uint32_t)n->n_order - 1;
	if (node->mtime < n->min_mtime ||
		(node->mtime == n->min_mtime && node->mtime_ns < n->min_mtime_ns)) {
		n->min_mtime = node->mtime;
		n->min_mtime_ns = node->mtime_ns;
	}
	if (node->n_xattrs)
		qsort(node->xattrs, node->n_xattrs, sizeof *node->xattrs, by_xattr_name);
	for (size_t i = 0; i < node->n_xattrs; i++)
		n->has_acl |= !strncmp(node->xattrs[i].name, "system.posix_acl_", 17);
}

static int order_nodes(struct composefs_nodes *n)
{
	n->order = calloc(n->n_nodes, sizeof *n->order);
	if (!n->order)
		return error_memory();
	n->min_mtime = n->nodes[0].mtime;
	n->min_mtime_ns = n->nodes[0].mtime_ns;
	n->order[n->n_order++] = 0;
	note_node(n, &n->nodes[0]);
	for (size_t i = 0; i < n->n_order; i++) {
		const struct composefs_node *dir = &n->nodes[n->order[i]];
		for (size_t k = 0; k < dir->n_dirents; k++) {
			if (!is_home(n, n->order[i], &dir->dirents[k]))
				continue;
			n->order[n->n_order++] = dir->dirents[k].node;
			note_node(n, &n->nodes[dir->dirents[k].node]);
		}
	}
	return 0;
}

int composefs_nodes_make(struct composefs_nodes *n, const struct tree *tree,
	const uint8_t (*digests)[COMPOSEFS_DIGEST_SIZE], struct composefs_format format)
{
	*n = (struct composefs_nodes){.format = format.min};
	n->nodes = calloc(tree->n_entries + 256, sizeof *n->nodes);
	if (!n->nodes)
		return error_memory();
	int r = 0;
	for (size_t i = 0; r == 0 && i < tree->n_entries; i++) {
		if (is_whiteout(&tree->entries[i]) && format.max >= 1)
			n->format = 1;
		r = copy_entry(n, i, tree, digests);
	}
	if (r < 0)
		return r;
	find_parents(n, tree->n_entries);
	r = add_overlay_xattrs(n, tree->n_entries);
	if (r == 0)
		r = add_root_whiteouts(n, tree->n_entries);
	if (r == 0)
		r = list_directories(n);
	return r < 0 ? r : order_nodes(n);
}
