/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "builder/extension.h"
#include "builder/tree_build.h"

/* Whether PATH is DIRECTORY or below it. */
static bool is_in(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return !strncmp(path, directory, n) && (path[n] == '/' || path[n] == 0);
}

static bool is_allowed_place(const char *path, enum purpose kind)
{
	return kind == PURPOSE_CONFEXT ? is_in(path, "etc")
				       : is_in(path, "usr") || is_in(path, "opt");
}

static bool is_overlay_attribute(const char *name)
{
	return !strncmp(name, "trusted.overlay.", 16) ||
	       !strncmp(name, "user.overlay.", 13);
}

/* Why an entry may not be in an extension, or NULL. */
static const char *problem(const struct tree_entry *e, enum purpose kind)
{
	const char *path = e->path;
	if (!is_allowed_place(path, kind))
		return kind == PURPOSE_CONFEXT ? "a confext has nothing but etc/"
					       : "a sysext has nothing but usr/ and opt/";
	if (!strchr(path, '/') && !S_ISDIR(e->mode))
		return "is not a directory";
	if (!strcmp(path, "usr/lib/os-release") || !strcmp(path, "etc/os-release"))
		return "an extension does not say which system this is";
	if (is_in(path, "usr/lib/cairn") || is_in(path, "etc/cairn"))
		return "what is trusted is for the base alone to say";
	if (is_in(path, "usr/.cairn") || is_in(path, "opt/.cairn") ||
		is_in(path, "etc/.cairn"))
		return "is where the list of what is composed will be";
	if (S_ISCHR(e->mode) && e->major == 0 && e->minor == 0)
		return "is a whiteout";
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		return "is a device node";
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (is_overlay_attribute(e->xattrs[i].name))
			return "has an attribute that overlayfs would obey";
	return NULL;
}

int extension_check(const struct tree *tree, enum purpose kind, size_t *n_setid)
{
	char quoted[TREE_QUOTE_SIZE];
	*n_setid = 0;
	for (size_t i = 1; i < tree->n_entries; i++) {
		const struct tree_entry *e = &tree->entries[i];
		const char *why = problem(e, kind);
		if (why)
			return error_format("%s: %s: %s", tree->name,
				tree_quote(e->path, quoted), why);
		*n_setid += S_ISREG(e->mode) && (e->mode & (S_ISUID | S_ISGID));
	}
	return 0;
}
