/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_VERB_H
#define CAIRN_CLI_VERB_H

#include "core/error.h"

/*
 * A verb of the command line. RUN gets the verb as argv[0] and returns 0, a positive
 * enum status, or a negative errno with the sentence recorded (core/error.h).
 */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary; /* one line, for `cairn help` */
	const char *usage;   /* all of it, for `cairn help VERB`; ends with a newline */
};

/* One declaration per cmd_*.c; the table is in verbs.c. */
extern const struct verb verb_blob;
extern const struct verb verb_build;
extern const struct verb verb_extension;
extern const struct verb verb_epoch;
extern const struct verb verb_help;
extern const struct verb verb_ref;
extern const struct verb verb_key;
extern const struct verb verb_locate;
extern const struct verb verb_diff;
extern const struct verb verb_digest;
extern const struct verb verb_sign;
extern const struct verb verb_verity;
extern const struct verb verb_inspect;
extern const struct verb verb_store;
extern const struct verb verb_verify;
extern const struct verb verb_examine;
extern const struct verb verb_version;
extern const struct verb verb_boot;

/* All verbs of this program (verbs.c, system/verbs.c), ending with NULL. */
extern const struct verb *const verbs[];

/* The verb of that name, or NULL. */
const struct verb *verb_find(const char *name);

/*
 * Dispatch for verbs that have verbs of their own (`key new`, `verity format`): runs the
 * one that argv[1] names, or refuses with a list of what there is.
 */
int verb_run_sub(const struct verb *const *table, int argc, char **argv);

#endif
