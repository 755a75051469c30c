/* SPDX-License-Identifier: MIT */
#include "initrd/compose/lines.h"

#include <string.h>

/* What comes before the first BYTE in S; it and BYTE are cut off. */
static struct span cut(struct span *s, uint8_t byte)
{
	const uint8_t *at = s->size ? memchr(s->data, byte, s->size) : NULL;
	size_t size = at ? (size_t)(at - s->data) : s->size;
	struct span before = span_of(s->data, size);
	*s = at ? span_of(at + 1, s->size - size - 1) : span_of(NULL, 0);
	return before;
}

bool lines_next(struct span *text, struct span *line, unsigned *number)
{
	while (text->size) {
		*line = cut(text, '\n');
		++*number;
		if (line->size && line->data[0] != '#')
			return true;
	}
	return false;
}

bool lines_word(struct span *line, struct span *word)
{
	*word = cut(line, ' ');
	return word->size > 0;
}

bool lines_equal(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

bool lines_hex(struct span s, size_t n_bytes)
{
	for (size_t i = 0; i < s.size; i++)
		if (!(s.data[i] >= '0' && s.data[i] <= '9') &&
			!(s.data[i] >= 'a' && s.data[i] <= 'f'))
			return false;
	return n_bytes ? s.size == 2 * n_bytes : s.size > 0 && s.size % 2 == 0;
}

bool lines_number(struct span s, unsigned max, unsigned *number)
{
	uint64_t n = 0;
	if (s.size == 0 || s.size > 10 || (s.size > 1 && s.data[0] == '0'))
		return false;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		n = n * 10 + (s.data[i] - (uint64_t)'0');
	}
	*number = (unsigned)n;
	return n <= max;
}

bool lines_value(struct span s, const char *key, struct span *value)
{
	size_t size = strlen(key);
	if (s.size <= size || memcmp(s.data, key, size) != 0 || s.data[size] != '=')
		return false;
	*value = span_of(s.data + size + 1, s.size - size - 1);
	return true;
}
