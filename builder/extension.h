/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_EXTENSION_H
#define CAIRN_BUILDER_EXTENSION_H

#include <json-c/json.h>

#include "builder/extension_release.h"
#include "builder/filesystem.h"

/*
 * Extension images: a GPT with a file system of what is added to /usr and /opt (sysext)
 * or /etc (confext), its hash tree and the signature of its root hash, as the UAPI
 * group's specifications of extension images and discoverable disk images have it.
 */

/* Zero it, then set at least tree, output and wanted[EXTENSION_ID] or the tree's own. */
struct extension_options {
	const char *tree;        /* a directory or an archive */
	const char *output;      /* NAME.sysext.raw or NAME.confext.raw: that decides */
	const char *name;        /* NULL: as the output's */
	enum filesystem_type fs; /* erofs or squashfs */
	const char *compress;    /* as in filesystem_options; NULL: the type's default */
	const char *key;         /* PEM file or PKCS#11 URI; NULL: unsigned */
	const char *certificate; /* goes with the key */
	const char *seed;        /* NULL: "" */
	const char *wanted[EXTENSION_N_FIELDS]; /* of extension-release; NULL: as it is */
	unsigned fec_roots;                     /* 0: no error correction */
	unsigned jobs;                          /* 0: as many as processors */
	bool force;                             /* write over what exists */
};

/*
 * Whether a file of this name is an extension image, and of which KIND (PURPOSE_SYSEXT or
 * PURPOSE_CONFEXT); LENGTH (may be NULL) is that of the extension's name at the start of
 * the path's last component.
 */
bool extension_kind_of(const char *path, enum purpose *kind, size_t *length);

/*
 * Builds the image; it appears whole or not at all. Its bytes follow from the tree, these
 * options (but jobs and paths), SOURCE_DATE_EPOCH (else the newest time in the tree) and
 * the tools' versions alone. Refused with STATUS_FORMAT: what extension_check refuses;
 * with STATUS_TRUST: a certificate for another purpose. REPORT is set to an object that
 * tells what was built; the caller puts it.
 */
int extension_build(const struct extension_options *o, json_object **report);

/*
 * Whether the tree may be an extension of KIND: nothing but usr/ and opt/, or etc/; no
 * os-release; nothing below usr/lib/cairn or etc/cairn, which is the base's alone; no
 * device nodes (whiteouts among them), no attributes of overlayfs. STATUS_FORMAT names
 * the entry. N_SETID is how many files are setuid or setgid.
 */
int extension_check(const struct tree *tree, enum purpose kind, size_t *n_setid);

#endif
