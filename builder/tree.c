/* SPDX-License-Identifier: MIT */
#include "builder/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/tree_build.h"
#include "core/path.h"

void tree_entry_free(struct tree_entry *e)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		free(e->xattrs[i].name);
		free(e->xattrs[i].value);
	}
	free(e->xattrs);
	free(e->extents);
	free(e->contents);
	free(e->path);
	free(e->target);
	*e = (struct tree_entry){0};
}

void tree_free(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_entries; i++)
		tree_entry_free(&tree->entries[i]);
	free(tree->entries);
	free(tree->name);
	if (tree->dirfd >= 0)
		close(tree->dirfd);
	file_close(&tree->spool);
	*tree = TREE_EMPTY;
}

static int open_spool(struct tree *tree, const char *scratch)
{
	char *beside = NULL;
	const char *directory = getenv("TMPDIR");
	if (!scratch && asprintf(&beside, "%s/cairn",
				directory && *directory ? directory : "/var/tmp") < 0)
		return error_memory();
	int r = file_scratch(&tree->spool, scratch ? scratch : beside);
	free(beside);
	return r;
}

static int load_archive(struct tree *tree, const char *path, const char *scratch)
{
	AUTO_FILE archive = FILE_CLOSED;
	int r = file_open(&archive, path);
	if (r == 0)
		r = open_spool(tree, scratch);
	return r < 0 ? r : tree_load_tar(tree, &archive);
}

int tree_load(struct tree *tree, const char *path, const char *scratch)
{
	*tree = TREE_EMPTY;
	if (!(tree->name = strdup(path)))
		return error_memory();
	struct stat st;
	int r = 0, handle = open(path, O_PATH | O_CLOEXEC);
	if (handle < 0)
		r = error_errno("%s: cannot open", path);
	else if (fstat(handle, &st) < 0)
		r = error_errno("%s: cannot stat", path);
	else if (!S_ISDIR(st.st_mode))
		r = load_archive(tree, path, scratch);
	else if ((tree->dirfd = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) <
		 0)
		r = error_errno("%s: cannot open", path);
	else
		r = tree_load_dir(tree, tree->dirfd);
	if (handle >= 0)
		close(handle);
	if (r == 0 && tree->n_entries < 2)
		r = error_format("%s: there is nothing in it", path);
	if (r < 0)
		tree_free(tree);
	return r;
}

int tree_compare(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	unsigned x = *a == '/' ? 1 : *a ? (unsigned char)*a + 1u : 0;
	unsigned y = *b == '/' ? 1 : *b ? (unsigned char)*b + 1u : 0;
	return x < y ? -1 : x > y;
}

static int compare_entry(const void *path, const void *entry)
{
	return tree_compare(path, ((const struct tree_entry *)entry)->path);
}

const struct tree_entry *tree_find(const struct tree *tree, const char *path)
{
	path += strspn(path, "/");
	return bsearch(path, tree->entries, tree->n_entries, sizeof *tree->entries,
		compare_entry);
}

size_t tree_end(const struct tree *tree, const struct tree_entry *entry)
{
	size_t low = (size_t)(entry - tree->entries) + 1, high = tree->n_entries;
	size_t length = strlen(entry->path);
	if (length == 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *path = tree->entries[middle].path;
		if (!strncmp(path, entry->path, length) && path[length] == '/')
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *tree_base(const struct tree_entry *entry)
{
	const char *slash = strrchr(entry->path, '/');
	return slash ? slash + 1 : entry->path;
}

const char *tree_quote(const char *path, char text[TREE_QUOTE_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;
	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (n + 8 > TREE_QUOTE_SIZE) {
			memcpy(text + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f && c != '\\') {
			text[n++] = (char)c;
		} else {
			text[n++] = '\\';
			text[n++] = 'x';
			text[n++] = hex[c >> 4];
			text[n++] = hex[c & 15];
		}
	}
	text[n] = 0;
	return text;
}
