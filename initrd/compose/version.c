/* SPDX-License-Identifier: MIT */
#include "initrd/compose/version.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Everything else divides, and does not count. */
static const char *skip(const char *s)
{
	while (*s && !is_digit(*s) && !is_letter(*s) && !strchr("-.~^", *s))
		s++;
	return s;
}

static int sign(long difference)
{
	return difference < 0 ? -1 : difference > 0;
}

/* The runs at A and B, of LENGTH and OTHER bytes: the first difference, then length. */
static int compare_text(const char *a, size_t length, const char *b, size_t other)
{
	int r = memcmp(a, b, length < other ? length : other);
	return r ? sign(r) : sign((long)length - (long)other);
}

static int compare_numbers(const char **a, const char **b)
{
	size_t n = 0, m = 0;
	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	while (is_digit((*a)[n]))
		n++;
	while (is_digit((*b)[m]))
		m++;
	int r = n == m ? compare_text(*a, n, *b, m) : sign((long)n - (long)m);
	*a += n;
	*b += m;
	return r;
}

static int compare_letters(const char **a, const char **b)
{
	size_t n = 0, m = 0;
	while (is_letter((*a)[n]))
		n++;
	while (is_letter((*b)[m]))
		m++;
	int r = compare_text(*a, n, *b, m);
	*a += n;
	*b += m;
	return r;
}

/*
 * A separator that only one of the two has makes that one the older. Returns true if
 * that, or the end of one, decided.
 */
static bool separators_decide(const char **a, const char **b, int *r)
{
	static const char separators[] = "~\n-^.";
	for (const char *s = separators; *s; s++) {
		bool in_a = **a == *s, in_b = **b == *s;
		/* After '~', which is older than nothing at all, the end counts. */
		if (*s == '\n' && (!**a || !**b)) {
			*r = (**a != 0) - (**b != 0);
			return true;
		}
		if (in_a != in_b) {
			*r = in_b - in_a;
			return true;
		}
		*a += in_a;
		*b += in_b;
	}
	return false;
}

int version_compare(const char *a, const char *b)
{
	for (;;) {
		int r = 0;
		a = skip(a);
		b = skip(b);
		if (separators_decide(&a, &b, &r))
			return r;
		if (is_digit(*a) || is_digit(*b)) {
			/* A number is newer than letters. */
			if (is_digit(*a) != is_digit(*b))
				return is_digit(*a) ? 1 : -1;
			r = compare_numbers(&a, &b);
		} else {
			r = compare_letters(&a, &b);
		}
		if (r)
			return r;
	}
}
