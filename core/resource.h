/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_RESOURCE_H
#define CAIRN_CORE_RESOURCE_H

/*
 * Files that belong to Cairn itself: beside the running executable (a build tree), or
 * below PREFIX/lib/cairn (an installation). -ENOENT, STATUS_FAILED if in neither. The
 * caller frees *PATH.
 */
int resource_find(const char *name, char **path);

#endif
