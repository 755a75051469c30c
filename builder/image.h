/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_IMAGE_H
#define CAIRN_BUILDER_IMAGE_H

#include <json-c/json.h>

#include "builder/filesystem.h"
#include "builder/initrd_trust.h"

/*
 * What an image is made of. Zero it (IMAGE_DEFAULTS), then set at least tree and output.
 * The strings are owned by the caller.
 */
struct image_options {
	const char *tree;   /* a directory or an archive */
	const char *output; /* a file, or a whole disk */
	enum filesystem_type fs;
	const char *compress;    /* as in filesystem_options; NULL: the type's default */
	bool usr;                /* a /usr image of the tree's usr/, not a root */
	const char *key;         /* PEM file or PKCS#11 URI; NULL: unsigned */
	const char *certificate; /* goes with the key */
	const char *id;          /* NULL: IMAGE_ID or ID of os-release */
	const char *version;     /* NULL: IMAGE_VERSION or VERSION_ID, or "0" */
	const char *seed;        /* NULL: "" */
	const char *cmdline;     /* further words for the kernel; NULL: none */
	const char *overlay; /* cairn.overlay=, cairn.verity= and cairn.on-failure=, */
	const char *verity;  /* see initrd/plan/policy.h; NULL: the initrd's default */
	const char *on_failure;
	const struct initrd_trust *trust; /* for the root, by the initrd; NULL: nobody */
	const char *drivers;    /* storage drivers in the initrd; NULL: "cloud" */
	const char *boot_files; /* stub and boot loader; NULL: where Debian has them */
	uint64_t size;          /* of the whole image, bytes; 0: as needed */
	unsigned fec_roots;     /* 0: no error correction */
	unsigned tries;         /* boot counting starts here; 0: no counting */
	unsigned jobs;          /* 0: as many as processors */
	unsigned lock_timeout_ms;
	bool force; /* write over what exists */
	bool qcow2; /* one more output, for QEMU */
};

#define IMAGE_DEFAULTS ((struct image_options){.tries = 3, .lock_timeout_ms = 10000})

/*
 * Builds the image and all that stands beside it (builder/bundle.h). The bytes follow
 * from the tree, these options (but jobs and paths), SOURCE_DATE_EPOCH and the versions
 * of the tools alone; without SOURCE_DATE_EPOCH the newest mtime in the tree stands for
 * it. MANIFEST is set to the document also written to .manifest.json; the caller puts it.
 */
int image_build(const struct image_options *options, json_object **manifest);

#endif
