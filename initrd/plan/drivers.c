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

/* fnmatch is slow, and almost every pattern differs in its first letters. */
static bool matches(const char *pattern, const char *alias)
{
	size_t plain = strcspn(pattern, "*?[\\");
	return !strncmp(pattern, alias, plain) && fnmatch(pattern, alias, 0) == 0;
}

/* What the pattern lines so far came to; a line that is no pattern uses it up. */
struct matcher {
	const char *alias; /* NULL: wanted is what is always loaded */
	bool matched;
	int (*load)(void *context, const char *file);
	void *context;
};

static int match_line(struct matcher *m, struct span line)
{
	char kind[16], pattern[256];
	if (memchr(line.data, 0, line.size) || !next_word(&line, kind, sizeof kind))
		return error_format("%s: a line is not complete", DRIVERS_FILE);
	bool is_always = !strcmp(kind, "always"), is_device = !strcmp(kind, "device");
	if (!strcmp(kind, "alias")) {
		if (!next_word(&line, pattern, sizeof pattern) || line.size)
			return error_format(
				"%s: a line is not one pattern", DRIVERS_FILE);
		m->matched |= m->alias && matches(pattern, m->alias);
		return 0;
	}
	if (!is_always && !is_device)
		return error_format("%s: unknown line %s", DRIVERS_FILE, kind);
	bool wanted = is_always ? !m->alias : m->matched;
	m->matched = false;
	return wanted ? load_all(line, m->load, m->context) : 0;
}

int drivers_match(struct span text, const char *alias,
	int (*load)(void *context, const char *file), void *context)
{
	struct matcher m = {.alias = alias, .load = load, .context = context};
	int r = 0;
	while (r == 0 && text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		if (!end)
			return error_format(
				"%s: the last line is not complete", DRIVERS_FILE);
		size_t size = (size_t)(end - text.data);
		r = match_line(&m, span_of(text.data, size));
		text = span_of(end + 1, text.size - size - 1);
	}
	return r;
}
