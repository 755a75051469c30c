/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_SEARCH_H
#define CAIRN_COMPOSE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* Two kinds of extensions, which never mix (UAPI.3, Extension Images). */
enum extension_class {
	CLASS_SYSEXT,  /* of /usr and /opt */
	CLASS_CONFEXT, /* of /etc */
};
#define N_CLASSES 2

/* "sysext", "confext". */
const char *class_name(enum extension_class class);

/* More than these are refused; a mount takes 256 bytes of layers on old kernels. */
#define EXTENSIONS_MAX     64
#define EXTENSION_NAME_MAX 128

/* An extension as it lies there. Nothing of it was checked but that its kind is right. */
struct found {
	char name[EXTENSION_NAME_MAX]; /* as in extension-release.NAME */
	char *path;                    /* owned; without the prefix of another root */
	int fd; /* owned; open for reading: all of the extension comes from here */
	bool is_directory;
	bool is_disk; /* added by search_add */
};

struct search {
	struct found items[EXTENSIONS_MAX]; /* oldest version first: the lowest layer */
	size_t n;
};
#define AUTO_SEARCH __attribute__((cleanup(search_free))) struct search

/*
 * Opens what the search directories below ROOT (an open directory; nothing leads out of
 * it) hold: images NAME.raw or NAME.CLASS.raw, directories NAME, and the newest fitting
 * version in NAME.raw.v/ and NAME.v/ (vpick). An earlier directory wins over a later
 * one; there a link to /dev/null hides the name. STATUS_FORMAT if one directory has a
 * name twice. S need not be initialized, and must be freed in any case.
 */
int search_extensions(int root, enum extension_class class, struct search *s);
void search_free(struct search *s);

/* Whether NAME may be an extension's: printable, without blanks, not hidden, not long. */
bool search_is_name(const char *name);

/*
 * Adds the disk of the image NAME, open as FD (consumed in any case), to what was found.
 * The first N_BEFORE of S win over it; two later ones of one name are STATUS_FORMAT. In
 * the end search_sort brings all into their order.
 */
int search_add(
	struct search *s, size_t n_before, const char *name, const char *path, int fd);
void search_sort(struct search *s);

#endif
