/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PAYLOAD_H
#define CAIRN_VERIFIER_PAYLOAD_H

#include "core/signature.h"
#include "core/verity.h"
#include "verifier/disk.h"
#include "verifier/verify.h"

/* The checks of one set: data, hash tree, and the signature of the root hash. */

#define PAYLOAD_HASH_TEXT (2 * HASH_MAX_SIZE + 1)

struct payload {
	const struct disk *disk;
	const struct disk_set *set;
	struct place data, verity,
		signature; /* whole partitions; zeroed if there is none */
	struct verity_params params;
	uint64_t tree_offset; /* in the image, bytes */
	uint64_t tree_size;   /* bytes */
	bool has_tree;        /* the three above hold, and lie inside their partitions */
	const struct file *tree_file; /* where `verity` is in: mostly the disk's */
	const char *given; /* the root hash it must have; NULL: any; not owned */
	char claimed[PAYLOAD_HASH_TEXT]; /* root hash by the partitions' UUIDs, "" if none
					  */
	char signed_hash[PAYLOAD_HASH_TEXT]; /* what a trusted signature says, "" if none
					      */
	const struct certificate *signer;    /* whose signature that is; of the pins */
};

/* Finds the places and the root hash that the UUIDs tell; reads nothing. */
void payload_init(struct payload *p, const struct disk *disk, const struct disk_set *set);

/*
 * Looks for a hash tree in the data partition itself, directly behind its file system:
 * the data then ends there. Only where there is no partition for the tree.
 */
void payload_find_appended(struct payload *p);

/* Superblock: sane, canonical, fitting the partitions, nothing hidden behind the areas.
 */
void payload_check_structure(struct payload *p, struct report *report);

/* The signature partition, against the pinned certificates. */
void payload_check_signature(
	struct payload *p, const struct verify_options *o, struct report *report);

/* Every block of data and tree against the root hash that is trusted most. */
void payload_check_tree(
	const struct payload *p, const struct verify_options *o, struct report *report);

/* The file system: one that nothing can write to, and that ends inside the data. */
void payload_check_file_system(const struct payload *p, struct report *report);

#endif
