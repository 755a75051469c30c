/* SPDX-License-Identifier: MIT */
#include "initrd/compose/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"

const char *hierarchy_name(enum hierarchy h)
{
	static const char *const names[] = {"usr", "opt", "etc"};
	return names[h];
}

bool hierarchy_is_of(enum hierarchy h, enum extension_class class)
{
	return (h == HIERARCHY_ETC) == (class == CLASS_CONFEXT);
}

/* PATH itself, or anything below it. */
static bool is_below(const char *path, const char *top)
{
	size_t length = strlen(top);
	return !strncmp(path, top, length) && (!path[length] || path[length] == '/');
}

int layer_check_entry(
	const char *name, const char *path, const struct entry *e, bool setuid)
{
	static const char *const reserved[] = {"/usr/lib/cairn", "/etc/cairn", NULL};
	static const char *const lists[] = {
		"/usr/.cairn", "/opt/.cairn", "/etc/.cairn", NULL};
	static const char *const overlay[] = {"trusted.overlay.", "user.overlay.", NULL};
	const char *why = NULL;
	for (const char *const *p = reserved; *p; p++)
		if (is_below(path, *p))
			return error_set(STATUS_DIFFERS, EPERM,
				"%s: %s: decides whom the system trusts: no extension "
				"may bring it",
				name, path);
	for (const char *const *p = lists; *p; p++)
		if (is_below(path, *p))
			why = "is where the list of what is composed will be";
	for (const char *const *p = overlay; *p; p++)
		if (entry_has_xattr(e, *p))
			why = "has an attribute that overlayfs acts upon";
	if (S_ISCHR(e->st.st_mode) || S_ISBLK(e->st.st_mode))
		why = e->st.st_rdev ? "is a device node" : "is a whiteout";
	if (!setuid && !why && S_ISREG(e->st.st_mode) &&
		(e->st.st_mode & (S_ISUID | S_ISGID) ||
			entry_has_xattr(e, "security.capability")))
		why = "runs with rights of its own (setuid, setgid or capabilities), "
		      "which the policy refuses";
	if (why)
		return error_set(STATUS_DIFFERS, EPERM, "%s: %s: %s", name, path, why);
	return 0;
}

static int check_top(const struct layer *l, enum extension_class class, const char *entry)
{
	struct stat st;
	if (fstatat(l->tree, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("%s: /%s: cannot stat", l->name, entry);
	if (!strcmp(entry, "lost+found") && S_ISDIR(st.st_mode))
		return 0;
	for (int h = 0; h < N_HIERARCHIES; h++)
		if (hierarchy_is_of((enum hierarchy)h, class) &&
			!strcmp(entry, hierarchy_name((enum hierarchy)h)))
			return S_ISDIR(st.st_mode)
				       ? 0
				       : error_format("%s: /%s is %s", l->name, entry,
						 path_kind(st.st_mode));
	return error_format("%s: /%s: a %s only has %s", l->name, entry,
		class_name(class), class == CLASS_CONFEXT ? "/etc" : "/usr and /opt");
}

int layer_check_root(const struct layer *l, enum extension_class class)
{
	struct stat st;
	int fd = openat(l->tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = error_errno("%s: cannot list", l->name);
		if (fd >= 0)
			close(fd);
		return r;
	}
	errno = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir)); errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = check_top(l, class, e->d_name);
	if (r == 0 && errno)
		r = error_errno("%s: cannot list", l->name);
	closedir(dir);
	static const char *const owned[] = {"usr/lib/os-release", "etc/os-release"};
	for (size_t i = 0; r == 0 && i < 2; i++)
		if (fstatat(l->tree, owned[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = error_format("%s: /%s: no extension may say which system "
					 "this is",
				l->name, owned[i]);
	return r;
}
