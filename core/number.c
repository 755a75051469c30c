/* SPDX-License-Identifier: MIT */
#include "core/number.h"

#include <stddef.h>
#include <string.h>

#include "core/span.h"

/* The digits TEXT begins with; *END is what stands behind them. */
static bool digits(const char *text, uint64_t *value, const char **end)
{
	uint64_t n = 0;
	const char *p = text;
	for (; *p >= '0' && *p <= '9'; p++)
		if (u64_mul(n, 10, &n) || u64_add(n, (uint64_t)(*p - '0'), &n))
			return false;
	*end = p;
	*value = n;
	return p > text;
}

bool number_parse(const char *text, uint64_t *value)
{
	const char *end;
	return digits(text, value, &end) && !*end;
}

bool number_parse_size(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *end;
	if (!digits(text, value, &end))
		return false;
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return false;
	return !unit || !u64_mul(*value, (uint64_t)1024 << 10 * (unit - units), value);
}
