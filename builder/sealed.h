/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_BUILDER_SEALED_H
#define CAIRN_BUILDER_SEALED_H

#include "builder/filesystem.h"
#include "builder/identity.h"
#include "builder/layout.h"
#include "core/signer.h"
#include "core/verity.h"

/*
 * A file system and what seals it: its hash tree, with parity if wanted, and the
 * signature of its root hash. Three partitions that belong together; bootable images and
 * extensions are made of them.
 */

/* Their order wherever there are three of something. */
enum sealed_part {
	SEALED_DATA,
	SEALED_HASH,
	SEALED_SIGNATURE,
	SEALED_N_PARTS,
};

struct sealed {
	struct file scratch; /* the file system, and behind it its hash area */
	struct filesystem_info filesystem;
	struct verity_params verity;
	uint64_t hash_offset; /* of the hash area in scratch */
	uint64_t hash_size;   /* with the parity, if there is any */
	uint64_t fec_offset;  /* of the parity in the hash area, if there is any */
	uint8_t root[32];
	char root_hex[65];
	struct buffer signature; /* the whole partition */
};

#define SEALED_EMPTY ((struct sealed){.scratch = FILE_CLOSED})
#define AUTO_SEALED  __attribute__((cleanup(sealed_free))) struct sealed

struct sealed_options {
	const struct tree *tree;
	struct filesystem_options filesystem; /* its uuid is set by sealed_make */
	const struct identity *identity;      /* what salt and UUIDs are derived from */
	const char *purpose; /* of the file system's UUID: "root", "usr"... */
	unsigned fec_roots;  /* 0: no error correction */
	unsigned jobs;       /* 0: as many as processors */
};

/*
 * Makes file system, hash tree and root hash, in a file without a name beside
 * O->filesystem.scratch (NULL: in TMPDIR or /var/tmp). S is SEALED_EMPTY before.
 */
int sealed_make(struct sealed *s, const struct sealed_options *o);

/* Signs the root hash; without a SIGNER (NULL) there is only room for a signature. */
int sealed_sign(struct sealed *s, const struct signer *signer);

/*
 * Types, sizes and UUIDs of the three partitions: for root, or for USR, of ARCHITECTURE.
 * Labels, and the UUID of the signature's partition, are the caller's to set. Needs both
 * of the above.
 */
void sealed_parts(const struct sealed *s, bool usr, const char *architecture,
	struct layout_part parts[SEALED_N_PARTS]);

/* Writes the three where they were placed in F, which holds only zeros if it is FRESH. */
int sealed_write(const struct sealed *s, const struct layout_part parts[SEALED_N_PARTS],
	const struct file *f, bool fresh);

/* Closes and frees; may be called twice. */
void sealed_free(struct sealed *s);

#endif
