/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_VERSION_H
#define CAIRN_COMPOSE_VERSION_H

/*
 * Compares two versions, or names with versions in them, as the Version Format
 * Specification (UAPI.10) orders them: negative if A is the older one, 0 if neither is.
 */
int version_compare(const char *a, const char *b);

#endif
