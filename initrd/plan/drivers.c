/* SPDX-License-Identifier: MIT */
#include "initrd/plan/drivers.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

/* Cuts the next word off S into WORD. Returns false at the end, or if it is too long. */
static bool next_word(struct span *s, char *word, size_t capacity)
{
	size_t size = 0;
	while (s->size && s->data[0] == ' ')
		*s = span_of(s->data + 1, s->size - 1);
	while (size < s->size && s->data[size] != ' ')
		size++;
	if (size == 0 || size >= capacity)
		return false;
	memcpy(word, s->data, size);
	word[size] = 0;
	*s = span_of(s->data + size, s->size - size);
	return true;
}

static int load_all(
	struct span files, int (*load)(void *context, const char *file), void *context)
{
	char file[128];
	while (next_word(&files, file, sizeof file)) {
		if (strchr(file, '/'))
			return error_format("%s: bad file name %s", DRIVERS_FILE, file);
		int r = load(context, file);
		if (r < 0)
			return r;
	}
	return files.size ? error_format("%s: a name is too long", DRIVERS_FILE) : 0;
}

int drivers_match(struct span text, const char *alias,
	int (*load)(void *context, const char *file), void *context)
{
	int r = 0;
	while (r == 0 && text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		struct span line = span_of(text.data, size);
		text = span_of(text.data + size + (end != NULL),
			text.size - size - (end != NULL));
		char kind[16], pattern[256];
		if (!end || memchr(line.data, 0, line.size) ||
			!next_word(&line, kind, sizeof kind))
			return error_format("%s: a line is not complete", DRIVERS_FILE);
		bool is_device = !strcmp(kind, "device");
		if (!is_device && strcmp(kind, "always") != 0)
			return error_format("%s: unknown line %s", DRIVERS_FILE, kind);
		if (is_device && !next_word(&line, pattern, sizeof pattern))
			return error_format("%s: a line is not complete", DRIVERS_FILE);
		if (is_device ? alias && fnmatch(pattern, alias, 0) == 0 : !alias)
			r = load_all(line, load, context);
	}
	return r;
}
