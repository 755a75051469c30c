/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_BUNDLE_H
#define CAIRN_BUILDER_BUNDLE_H

#include "core/output.h"

/*
 * An image and the files beside it: for `os.raw` these are `os.roothash`, `os.efi`,
 * `os.vmlinuz`, `os.initrd`, `os.qcow2` if wanted, `os.manifest.json`, `os.SHA256SUMS`.
 * None of them appears before all are complete, and the image comes last. A block device
 * as the image stands alone.
 */
enum bundle_item {
	BUNDLE_ROOTHASH,
	BUNDLE_EFI,
	BUNDLE_VMLINUZ,
	BUNDLE_INITRD,
	BUNDLE_QCOW2,
	BUNDLE_MANIFEST,
	BUNDLE_SUMS,
	BUNDLE_IMAGE,
	BUNDLE_N,
};

struct bundle {
	struct output items[BUNDLE_N];
	bool wanted[BUNDLE_N];
	struct file device; /* the image, if it is a block device */
};

#define BUNDLE_CLOSED     \
	((struct bundle){ \
		.items = {[0 ... BUNDLE_N - 1] = OUTPUT_CLOSED}, .device = FILE_CLOSED})
#define AUTO_BUNDLE __attribute__((cleanup(bundle_close))) struct bundle

struct bundle_options {
	const char *path; /* of the image; a block device is written to directly */
	bool replace; /* what is there may be written over; a device always is there */
	bool qcow2;
	bool existing; /* only files that are there already are wanted, beside the image
			*/
	unsigned lock_timeout_ms; /* for a block device */
};

/* Prepares all files, so that what cannot be written is refused before any work. */
int bundle_open(struct bundle *b, const struct bundle_options *o);

/*
 * Where the image is written; SIZE bytes, all zero if it is a file. A device must have
 * room for them, and loses its partition table here.
 */
int bundle_begin(struct bundle *b, uint64_t size);
const struct file *bundle_image(const struct bundle *b);

/* Writes an item that is at hand; nothing if it is not wanted. */
int bundle_put(struct bundle *b, enum bundle_item item, struct span contents);

/* Converts the image, which must be complete, if BUNDLE_QCOW2 is wanted. */
int bundle_convert(struct bundle *b);

/* Hashes all other items into BUNDLE_SUMS, in sha256sum's format. */
int bundle_sum(struct bundle *b);

/* Flushes everything and gives it its names. */
int bundle_commit(struct bundle *b);

/* Discards what was not committed; may be called twice. */
void bundle_close(struct bundle *b);

#endif
