/* SPDX-License-Identifier: MIT */
#include "builder/os_release.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX ((size_t)64 << 10)

int os_release_read(const struct tree *tree, struct buffer *text)
{
	const struct tree_entry *e = tree_resolve(tree, "usr/lib/os-release");
	if (!e || !S_ISREG(e->mode))
		return error_set(STATUS_FORMAT, ENOENT, "%s: has no usr/lib/os-release",
			tree->name);
	return tree_read(tree, e, TEXT_MAX, text);
}

/* The next line of TEXT, without its newline; TEXT shrinks. False at the end. */
static bool next_line(struct span *text, struct span *line)
{
	if (!text->size)
		return false;
	const uint8_t *newline = memchr(text->data, '\n', text->size);
	size_t size = newline ? (size_t)(newline - text->data) : text->size;
	*line = span_of(text->data, size);
	size += newline != NULL;
	*text = span_of(text->data + size, text->size - size);
	return true;
}

static bool assigns(struct span line, const char *key)
{
	size_t n = strlen(key);
	return line.size > n && !memcmp(line.data, key, n) && line.data[n] == '=';
}

/* Shell quoting, as os-release(5) has it: none, '...', or "..." with backslashes. */
static int unquote(struct span raw, char **value)
{
	while (raw.size && isspace(raw.data[raw.size - 1]))
		raw.size--;
	char quote = raw.size && (raw.data[0] == '"' || raw.data[0] == '\'')
			     ? (char)raw.data[0]
			     : 0;
	if (quote && (raw.size < 2 || raw.data[raw.size - 1] != (uint8_t)quote))
		return 0;
	if (quote)
		raw = span_of(raw.data + 1, raw.size - 2);
	char *out = malloc(raw.size + 1);
	if (!out)
		return error_memory();
	size_t n = 0;
	for (size_t i = 0; i < raw.size; i++) {
		if (raw.data[i] == '\\' && quote != '\'' && i + 1 < raw.size)
			i++;
		out[n++] = (char)raw.data[i];
	}
	out[n] = 0;
	*value = out;
	return 0;
}

int os_release_get(struct span text, const char *key, char **value)
{
	struct span line, last = {0};
	*value = NULL;
	while (next_line(&text, &line))
		if (assigns(line, key))
			last = line;
	size_t skip = strlen(key) + 1;
	return last.data ? unquote(span_of(last.data + skip, last.size - skip), value)
			 : 0;
}

unsigned os_release_count(struct span text, const char *key)
{
	struct span line;
	unsigned n = 0;
	while (next_line(&text, &line))
		n += assigns(line, key);
	return n;
}

static bool has(struct span text, const char *key, const char *wanted)
{
	char *value;
	bool same =
		os_release_get(text, key, &value) == 0 && value && !strcmp(value, wanted);
	free(value);
	return same;
}

int os_release_amend(
	struct span text, const char *id, const char *version, struct buffer *amended)
{
	if (has(text, "IMAGE_ID", id) && has(text, "IMAGE_VERSION", version))
		return buffer_append(amended, text.data, text.size);
	struct span line;
	int r = 0;
	while (r == 0 && next_line(&text, &line)) {
		if (assigns(line, "IMAGE_ID") || assigns(line, "IMAGE_VERSION"))
			continue;
		r = buffer_append(amended, line.data, line.size);
		if (r == 0)
			r = buffer_append(amended, "\n", 1);
	}
	return r < 0 ? r
		     : buffer_printf(
			       amended, "IMAGE_ID=%s\nIMAGE_VERSION=%s\n", id, version);
}
