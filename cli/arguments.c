/* SPDX-License-Identifier: MIT */
#include "cli/arguments.h"

#include <getopt.h>
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

int argument_jobs(const char *text, unsigned *jobs)
{
	uint64_t v = 0;
	int r = argument_number("--jobs", text, 1, 1024, &v);
	if (r == 0)
		*jobs = (unsigned)v;
	return r;
}

int argument_unknown(int result, char **argv)
{
	const char *what =
		result == ':' ? "needs a value" : "is not known or takes no value";
	if (optopt > 0 && optopt < 128)
		return error_usage("%s: option -%c %s", argv[0], optopt, what);
	return error_usage("%s: option %s %s", argv[0], argv[optind - 1], what);
}
