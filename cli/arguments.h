/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_ARGUMENTS_H
#define CAIRN_CLI_ARGUMENTS_H

#include <stdint.h>

#include "core/error.h"

/* What the option parsers of several verbs share. */

/* The value TEXT of OPTION: a plain decimal number from MIN to MAX. */
int argument_number(const char *option, const char *text, uint64_t min, uint64_t max,
	uint64_t *value);

/* The same for --jobs. */
int argument_jobs(const char *text, unsigned *jobs);

/*
 * What getopt_long returned '?' or ':' for, as an error. ARGV as given to getopt_long,
 * with the verb in argv[0]. opterr must be 0 before.
 */
int argument_unknown(int result, char **argv);

#endif
