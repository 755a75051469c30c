/* SPDX-License-Identifier: MIT */
#include "core/resource.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

/* "DIRECTORY/NAME" if that exists, else NULL. */
static char *existing(const char *directory, const char *name)
{
	char *path;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

int resource_find(const char *name, char **path)
{
	char exe[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	char *slash = n > 0 ? strrchr(exe, '/') : NULL;
	if (slash)
		*slash = 0;
	*path = slash ? existing(exe, name) : NULL;
	if (!*path)
		*path = existing(CAIRN_PREFIX "/lib/cairn", name);
	if (!*path)
		return error_set(STATUS_FAILED, ENOENT,
			"%s: not found beside the program or in %s", name,
			CAIRN_PREFIX "/lib/cairn");
	return 0;
}
