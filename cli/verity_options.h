/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_VERITY_OPTIONS_H
#define CAIRN_CLI_VERITY_OPTIONS_H

#include <stdbool.h>

#include "cli/verb.h"
#include "core/verity.h"

/* The command line of `cairn verity …`; the names of the options are veritysetup's. */
struct verity_options {
	const char *arguments[3]; /* DATA HASH [ROOT], as far as given */
	int n_arguments;
	struct verity_params params;
	bool no_superblock;
	bool data_blocks_given;
	bool uuid_given;
	bool hash_offset_given;
	uint64_t hash_offset;
	const char *root_hash_file;
	const char *fec_device;
	uint64_t fec_offset;
	unsigned fec_roots;
	uint64_t fec_size; /* of the parity, once it is known; bytes */
	const char *output;
	const char *output_hash;
	bool in_place;
	const char *backup;
	const char *undo;
	bool force;
	bool json;
	unsigned jobs;
};

/* Parses ARGV; refuses a number of arguments that is not MIN to MAX. */
int verity_options_parse(
	struct verity_options *o, int argc, char **argv, int min, int max);

/*
 * For commands on a hash area that exists: opens it, and reads the superblock at the hash
 * offset or, with --no-superblock, completes the parameters from DATA (which may be
 * NULL).
 */
int verity_options_hash(struct verity_options *o, const struct file *data,
	struct file *hash, uint64_t *tree_offset);

/* The root hash of the third argument or of --root-hash-file: exactly one of them. */
int verity_options_root(const struct verity_options *o, uint8_t *root);

/* The header of format and dump, in veritysetup's words. ROOT may be NULL. */
int verity_options_print(const struct verity_options *o, const char *hash_path,
	uint64_t tree_offset, const uint8_t *root);

/* The verbs below `cairn verity`. */
extern const struct verb verity_verb_format;
extern const struct verb verity_verb_verify;
extern const struct verb verity_verb_dump;
extern const struct verb verity_verb_repair;

#endif
