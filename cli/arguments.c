/* SPDX-License-Identifier: MIT */
#include "cli/arguments.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/number.h"

int argument_number(
	const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	if (!number_parse(text, &v))
		return error_usage("%s: '%s' is not a number", option, text);
	if (v < min || v > max)
		return error_usage("%s: %s is not from %ju to %ju", option, text,
			(uintmax_t)min, (uintmax_t)max);
	*value = v;
	return 0;
}

int argument_unknown(int result, char **argv)
{
	const char *what =
		result == ':' ? "needs a value" : "is not known or takes no value";
	if (optopt > 0 && optopt < 128)
		return error_usage("%s: option -%c %s", argv[0], optopt, what);
	return error_usage("%s: option %s %s", argv[0], argv[optind - 1], what);
}

/* Long options have numbers that no letter has. */
#define FIRST 256

/* Puts TABLE into getopt_long's words. */
static void describe(const struct argument *table, struct option options[], char *letters)
{
	*letters++ = ':'; /* a missing value is told from an unknown option */
	for (size_t i = 0; table[i].name; i++) {
		assert(i < ARGUMENTS_MAX);
		bool has_value = !table[i].flag;
		options[i] = (struct option){.name = table[i].name,
			.has_arg = has_value ? required_argument : no_argument,
			.val = FIRST + (int)i};
		if (!table[i].letter)
			continue;
		*letters++ = table[i].letter;
		if (has_value)
			*letters++ = ':';
	}
}

static const struct argument *find(const struct argument *table, int option)
{
	if (option >= FIRST)
		return &table[option - FIRST];
	while (table->name && table->letter != option)
		table++;
	return table->name ? table : NULL;
}

static int take(const struct argument *a, const char *value)
{
	char option[40];
	uint64_t n = 0;
	if (a->flag)
		return *a->flag = true, 0;
	if (a->text)
		return *a->text = value, 0;
	if (a->take)
		return a->take(a->into, value);
	snprintf(option, sizeof option, "--%s", a->name);
	int r = argument_number(option, value, a->min, a->max, &n);
	if (r == 0 && a->number)
		*a->number = (unsigned)n;
	else if (r == 0)
		*a->big = n;
	return r;
}

int arguments_parse(const struct argument *table, int argc, char **argv)
{
	struct option options[ARGUMENTS_MAX + 1] = {{0}};
	char letters[2 * ARGUMENTS_MAX + 2] = "";
	int option, r = 0;
	describe(table, options, letters);
	optind = 0;
	opterr = 0;
	while (r == 0 &&
		(option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct argument *a = find(table, option);
		r = a ? take(a, optarg) : argument_unknown(option, argv);
	}
	return r < 0 ? r : optind;
}
