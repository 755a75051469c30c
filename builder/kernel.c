/* SPDX-License-Identifier: MIT */
#include "builder/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KERNEL_MAX ((size_t)256 << 20)
#define MODULES    "usr/lib/modules"

void kernel_free(struct kernel *k)
{
	free(k->release);
	buffer_free(&k->image);
	*k = (struct kernel){0};
}

/* The regular file at DIRECTORY PREFIX RELEASE SUFFIX, symbolic links followed. */
static const struct tree_entry *candidate(const struct tree *tree, const char *before,
	const char *release, const char *after)
{
	char *path;
	if (asprintf(&path, "%s%s%s", before, release, after) < 0)
		return NULL;
	const struct tree_entry *e = tree_resolve(tree, path);
	free(path);
	return e && S_ISREG(e->mode) ? e : NULL;
}

static const struct tree_entry *image_of(const struct tree *tree, const char *release)
{
	const struct tree_entry *e = candidate(tree, MODULES "/", release, "/vmlinuz");
	return e ? e : candidate(tree, "boot/vmlinuz-", release, "");
}

/* Of the releases that have modules the newest that has a kernel as well. */
static const struct tree_entry *newest(const struct tree *tree, const char **release)
{
	const struct tree_entry *modules = tree_resolve(tree, MODULES), *best = NULL;
	size_t end = modules ? tree_end(tree, modules) : 0;
	for (size_t i = modules ? (size_t)(modules - tree->entries) + 1 : 0; i < end;) {
		const struct tree_entry *e = &tree->entries[i];
		const char *name = tree_base(e);
		const struct tree_entry *image =
			S_ISDIR(e->mode) ? image_of(tree, name) : NULL;
		if (image && (!best || strverscmp(name, *release) > 0)) {
			best = image;
			*release = name;
		}
		i = tree_end(tree, e);
	}
	return best;
}

/* The machine field of the PE header that an EFI stub puts before a kernel. */
static const char *architecture_of(struct span image)
{
	struct span header;
	if (span_part(image, 0, 64, &header) || memcmp(header.data, "MZ", 2))
		return NULL;
	if (span_part(image, get_le32(header.data + 60), 6, &header) ||
		memcmp(header.data, "PE\0", 4))
		return NULL;
	switch (get_le16(header.data + 4)) {
	case 0x8664:
		return "x86-64";
	case 0xaa64:
		return "arm64";
	default:
		return NULL;
	}
}

int kernel_find(const struct tree *tree, struct kernel *k)
{
	*k = (struct kernel){0};
	const char *release;
	const struct tree_entry *e = newest(tree, &release);
	if (!e)
		return error_set(STATUS_FORMAT, ENOENT,
			"%s: has no kernel: neither " MODULES "/*/vmlinuz nor "
			"boot/vmlinuz-* of a release in " MODULES,
			tree->name);
	int r = tree_read(tree, e, KERNEL_MAX, &k->image);
	if (r == 0 && !(k->architecture = architecture_of(buffer_span(&k->image))))
		r = error_format("%s: %s: no kernel with an EFI stub for x86-64 or arm64",
			tree->name, e->path);
	if (r == 0 && !(k->release = strdup(release)))
		r = error_memory();
	if (r < 0)
		kernel_free(k);
	return r;
}
