/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_VERIFY_OPTIONS_H
#define CAIRN_CLI_VERIFY_OPTIONS_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/certificate.h"
#include "verifier/rules.h"

/* The command line of `cairn verify`. */
struct verify_arguments {
	const char *path; /* what is verified */
	const char *hash_file, *image;
	uint64_t hash_offset;
	bool has_hash_offset;
	struct certificates pins;
	const char *trust, *junit;
	char *manifest; /* owned; NULL: none was given, and none lies beside the image */
	struct rules rules;
	char *root_hash; /* owned */
	enum purpose purpose;
	struct buffer revoked;
	unsigned epoch_floor;
	bool has_floor;
	bool have_cert, have_purpose, no_signature, json, quiet;
	unsigned jobs;
};

/* Parses ARGV and reads the certificates, policy and lists that it names. */
int verify_arguments_parse(struct verify_arguments *o, int argc, char **argv);

/* May be called after a failure, and on a zeroed struct. */
void verify_arguments_free(struct verify_arguments *o);

/* The signers to trust, or NULL if none were given. */
const struct certificates *verify_arguments_pins(const struct verify_arguments *o);

#endif
