/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_extension.h"
#include "cli/extension_options.h"
#include "core/json.h"
#include "core/path.h"
#include "core/progress.h"
#include "initrd/compose/attached.h"
#include "initrd/compose/ddi.h"

/* What is found, in the end in the order of layers. Large: not on the stack. */
struct listing {
	struct search found[N_CLASSES];
	size_t n_files[N_CLASSES]; /* the first of them: what the directories hold */
	struct standing composed[N_CLASSES];
	/* Disks of which nobody knows yet what they are. */
	struct {
		char path[64], root_hash[65];
	} unknown[EXTENSIONS_MAX];
	size_t n_unknown;
};

static void listing_free(struct listing *l)
{
	for (int c = 0; c < N_CLASSES; c++) {
		search_free(&l->found[c]);
		standing_free(&l->composed[c]);
	}
}

/* ---- disks ---------------------------------------------------------------------- */

/* A root hash that is looked for in a composition, and the name it has there. */
struct hash_name {
	const char *root_hash;
	char name[EXTENSION_NAME_MAX];
};

static int compare_hash(void *context, char *words[3])
{
	struct hash_name *h = context;
	if (!strcmp(words[1], h->root_hash))
		snprintf(h->name, sizeof h->name, "%s", words[0]);
	return 0;
}

/* Fills ROOT_HASH and gives the disk open for reading, or records why not. */
static int read_disk(const char *path, char root_hash[65])
{
	struct found f = {.path = (char *)path};
	struct ddi d;
	f.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (f.fd < 0)
		return error_errno("%s: cannot open", path);
	int r = ddi_open(&d, &f, CLASS_SYSEXT);
	int fd = r < 0 ? r : fcntl(d.file.fd, F_DUPFD_CLOEXEC, 3);
	if (r == 0 && fd < 0)
		fd = error_errno("%s: cannot duplicate", path);
	if (r == 0)
		strcpy(root_hash, d.root_hash);
	ddi_close(&d);
	return fd;
}

static int add_unknown(struct listing *l, const char *path, const char *root_hash)
{
	if (l->n_unknown == EXTENSIONS_MAX)
		return error_format("more than %d disks", EXTENSIONS_MAX);
	snprintf(l->unknown[l->n_unknown].path, sizeof l->unknown[0].path, "%s", path);
	snprintf(l->unknown[l->n_unknown].root_hash, sizeof l->unknown[0].root_hash, "%s",
		root_hash);
	l->n_unknown++;
	return 0;
}

/*
 * The name of a disk's extension is inside its file system, which nobody reads before it
 * was vouched for: only what is composed has been, and says by its root hash what it is.
 */
static int add_disk(void *context, const char *disk)
{
	struct listing *l = context;
	char path[64], root_hash[65] = "";
	snprintf(path, sizeof path, "/dev/%s", disk);
	int fd = read_disk(path, root_hash), r = 0;
	if (fd < 0)
		progress_note("%s", error_text());
	for (int c = 0; fd >= 0 && r == 0 && c < N_CLASSES; c++) {
		struct hash_name h = {.root_hash = root_hash};
		if (l->composed[c].n_ours)
			r = manifest_extensions(&l->composed[c].top, compare_hash, &h);
		if (r == 0 && *h.name)
			return search_add(&l->found[c], l->n_files[c], h.name, path, fd);
	}
	if (fd >= 0)
		close(fd);
	return r < 0 ? r : add_unknown(l, path, root_hash);
}

static int add_disks(struct listing *l, const char *root)
{
	int r = 0;
	for (int c = 0; r == 0 && c < N_CLASSES; c++)
		r = standing_read_class(&l->composed[c], root, (enum extension_class)c);
	if (r == 0)
		r = attached_visit(add_disk, l);
	for (int c = 0; r == 0 && c < N_CLASSES; c++)
		search_sort(&l->found[c]);
	return r;
}

/* ---- printing ------------------------------------------------------------------- */

/* CLASS and NAME: NULL where nobody knows. */
static void show(json_object *all, const char *class, const char *kind, const char *name,
	const char *path, const char *root_hash)
{
	if (!all) {
		printf("%-8s %-9s %s %s\n", class ? class : "-", kind, name ? name : "-",
			path);
		return;
	}
	json_object *one = json_object_new_object();
	json_add_text(one, "name", name);
	json_add_text(one, "class", class);
	json_add_text(one, "kind", kind);
	json_add_bytes(one, "path", span_of(path, strlen(path)));
	if (root_hash)
		json_add_text(one, "rootHash", *root_hash ? root_hash : NULL);
	json_append(all, one);
}

static void show_all(
	const struct listing *l, const struct extension_arguments *a, json_object *all)
{
	for (int c = 0; c < N_CLASSES; c++)
		for (size_t i = 0; a->class[c] && i < l->found[c].n; i++) {
			const struct found *f = &l->found[c].items[i];
			show(all, class_name((enum extension_class)c),
				f->is_directory ? "directory"
				: f->is_disk    ? "disk"
						: "image",
				f->name, f->path, NULL);
		}
	for (size_t i = 0; i < l->n_unknown; i++)
		show(all, NULL, "disk", NULL, l->unknown[i].path,
			l->unknown[i].root_hash);
}

static int run_list(int argc, char **argv)
{
	static struct listing l;
	struct extension_arguments a;
	int r = extension_arguments_parse(&a, argc, argv, false);
	int root = r < 0 ? r : path_open_dir(a.root);
	if (root < 0)
		return root;
	for (int c = 0; r == 0 && c < N_CLASSES; c++)
		if (a.class[c]) {
			r = search_extensions(root, (enum extension_class)c, &l.found[c]);
			l.n_files[c] = l.found[c].n;
		}
	/* Another system's disks are not this machine's. */
	if (r == 0 && !strcmp(a.root, "/"))
		r = add_disks(&l, a.root);
	json_object *all = r == 0 && a.json ? json_object_new_object() : NULL;
	json_object *list = all ? json_object_new_array() : NULL;
	if (all)
		json_add(all, "extensions", list);
	if (r == 0)
		show_all(&l, &a, list);
	if (all)
		r = json_print(all);
	json_object_put(all);
	listing_free(&l);
	close(root);
	return r;
}

const struct verb verb_extension_list = {.name = "list", .run = run_list};
