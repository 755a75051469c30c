/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CLI_ARGUMENTS_H
#define CAIRN_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* The options of a verb, and what becomes of them. */

#define ARGUMENTS_MAX 32 /* options that a verb can have */

/* One option. Of FLAG, TEXT, NUMBER, BIG and TAKE one is set, and says what it is. */
struct argument {
	const char *name;  /* the long form, without "--"; NULL ends a table */
	char letter;       /* the short one, or 0 */
	bool *flag;        /* set by an option that takes no value */
	const char **text; /* the value as it is; not copied */
	unsigned *number;  /* a plain decimal number from MIN to MAX */
	uint64_t *big;     /* the same */
	uint64_t min, max;
	int (*take)(void *into, const char *value); /* what else it may mean */
	void *into;
};

#define ARGUMENT_JOBS(variable)                                             \
	{                                                                   \
		.name = "jobs", .number = (variable), .min = 1, .max = 1024 \
	}

/*
 * Takes the options out of ARGV, which has the verb in argv[0]; getopt_long moves what is
 * no option to its end. Returns the index of the first of that, or has refused an option.
 */
int arguments_parse(const struct argument *table, int argc, char **argv);

/* The value TEXT of OPTION: a plain decimal number from MIN to MAX. */
int argument_number(const char *option, const char *text, uint64_t min, uint64_t max,
	uint64_t *value);

/*
 * What getopt_long returned '?' or ':' for, as an error. ARGV as given to getopt_long,
 * with the verb in argv[0]. opterr must be 0 before.
 */
int argument_unknown(int result, char **argv);

#endif
