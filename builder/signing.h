/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_SIGNING_H
#define CAIRN_BUILDER_SIGNING_H

#include "core/gpt.h"
#include "core/pe.h"
#include "core/signer.h"

/*
 * Signing an image that exists: its root hash, and each EFI program on its ESP. All of it
 * happens in memory; signing_save then replaces the image, or nothing does.
 */

/* One thing to sign. */
struct signing_item {
	char *path;            /* of the program on the ESP; NULL: the root hash */
	struct buffer request; /* what the key signs: see docs/signing.md */
	struct buffer program; /* the EFI program as it is; PE points into it */
	struct pe pe;
	bool is_signed;     /* already, by whomever */
	struct buffer done; /* signed program or signature partition; empty: not yet */
};

struct signing {
	struct file file;
	struct gpt gpt;
	const struct gpt_partition *data, *hash, *signature; /* point into `gpt` */
	const struct gpt_partition *esp;                     /* NULL: there is none */
	char root_hash[65];         /* by the partitions' UUIDs, and checked */
	struct signing_item *items; /* the root hash first */
	size_t n_items;
	char fingerprint[FINGERPRINT_TEXT_SIZE]; /* of the signer, once there is one */
};

#define SIGNING_CLOSED ((struct signing){.file = FILE_CLOSED})
#define AUTO_SIGNING   __attribute__((cleanup(signing_close))) struct signing

/*
 * Opens the image file PATH and checks what is to be vouched for: the whole hash tree on
 * JOBS threads (0: one per processor), and the command line of each UKI. STATUS_CONTENT
 * if they do not belong to the root hash, STATUS_FORMAT if this is no image to sign.
 */
int signing_open(struct signing *s, const char *path, unsigned jobs);
void signing_close(struct signing *s);

/* Whether any item is signed already. */
bool signing_is_signed(const struct signing *s);

/* Signs all items. */
int signing_sign(struct signing *s, const struct signer *signer);

/*
 * Writes the request of each item to the directory DIR, made if need be: roothash.tbs,
 * and for a program its path with '_' for '/' and .tbs added. Equal requests are written
 * once. The names are appended to NAMES, one a line.
 */
int signing_export(
	const struct signing *s, const char *dir, bool replace, struct buffer *names);

/*
 * Takes the answers of an offline signer: files with plain signatures of the requests, or
 * PKCS#7 for the root hash's, in any order. Each must be by the key of CERTIFICATE and
 * answer something (-EKEYREJECTED, STATUS_TRUST), and all must be answered (-EINVAL,
 * STATUS_USAGE).
 */
int signing_attach(struct signing *s, const struct certificate *certificate,
	const char *const *answers, size_t n_answers);

/*
 * Writes the image with the signatures in place of the old one, atomically, and the files
 * beside it that tell of it (builder/bundle.h) if they are there.
 */
int signing_save(struct signing *s);

#endif
