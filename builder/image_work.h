/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_IMAGE_WORK_H
#define CAIRN_BUILDER_IMAGE_WORK_H

#include "builder/bundle.h"
#include "builder/identity.h"
#include "builder/image.h"
#include "builder/kernel.h"
#include "builder/layout.h"
#include "builder/sealed.h"

/* The partitions, in the order they have on disk. */
enum image_part {
	IMAGE_ESP,
	IMAGE_SEALED, /* the three of builder/sealed.h */
	IMAGE_N_PARTS = IMAGE_SEALED + SEALED_N_PARTS,
};

/* An image while it is being built: between image.c and its parts, for nobody else. */
struct image {
	const struct image_options *o;
	struct signer signer; /* if o->key */
	struct tree tree;
	struct kernel kernel;
	char *id, *version; /* owned; what identity points at */
	struct identity identity;
	int64_t epoch;
	struct sealed sealed;
	struct buffer os_release, cmdline, initrd;
	struct buffer stub, loader; /* as the distribution ships them */
	struct buffer uki;          /* as on the ESP: signed if there is a key */
	struct file esp;
	uint64_t esp_size;
	struct layout layout;
	struct bundle bundle;
	json_object *manifest;
};

/* Reads what is needed and refuses what cannot work, before the long steps. */
int image_prepare_boot(struct image *im);

/* Initrd, UKI and ESP; needs the root hash. (image_boot.c) */
int image_make_boot(struct image *im);

/* The name of the UKI on the ESP, "EFI/Linux/ID_VERSION+3.efi", is appended. */
int image_uki_path(const struct image *im, struct buffer *path);

/* Fills in im->manifest once all else is complete. (image_manifest.c) */
int image_make_manifest(struct image *im);

#endif
