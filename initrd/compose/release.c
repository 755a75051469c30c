/* SPDX-License-Identifier: MIT */
#include "initrd/compose/release.h"

#include <stdbool.h>
#include <string.h>

#include "core/dps.h"

/*
 * One value as a shell would read it: bare, in single quotes, or in double quotes with
 * backslashes. Nothing may follow.
 */
static bool unquote(struct span s, char *value, size_t capacity)
{
	char quote = 0;
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++) {
		char c = (char)s.data[i];
		if (quote ? c == quote : i == 0 && (c == '"' || c == '\'')) {
			if (quote && i + 1 != s.size)
				return false;
			quote = quote ? 0 : c;
			if (!quote)
				break;
			continue;
		}
		if (c == '\\' && quote != '\'') {
			if (++i == s.size)
				return false;
			c = (char)s.data[i];
		} else if (!quote && (c == ' ' || c == '"' || c == '\'' || c == '$')) {
			return false;
		}
		if ((unsigned char)c < ' ' || n + 1 >= capacity)
			return false;
		value[n++] = c;
	}
	value[n] = 0;
	return !quote;
}

struct field {
	const char *key;
	char *value;
	size_t capacity;
};

static int parse_line(struct span line, const struct field *fields, size_t n,
	unsigned number, const char *name)
{
	while (line.size &&
		(line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t' ||
			line.data[line.size - 1] == '\r'))
		line.size--;
	if (!line.size || line.data[0] == '#')
		return 0;
	const uint8_t *equals = memchr(line.data, '=', line.size);
	if (!equals)
		return error_format("%s: line %u is no assignment", name, number);
	size_t length = (size_t)(equals - line.data);
	struct span value = span_of(equals + 1, line.size - length - 1);
	for (size_t i = 0; i < n; i++)
		if (strlen(fields[i].key) == length &&
			!memcmp(fields[i].key, line.data, length) &&
			!unquote(value, fields[i].value, fields[i].capacity))
			return error_format("%s: line %u: cannot read the value of %s",
				name, number, fields[i].key);
	return 0;
}

int release_parse(
	struct release *r, enum extension_class class, struct span text, const char *name)
{
	bool confext = class == CLASS_CONFEXT;
	*r = (struct release){.id = ""};
	const struct field fields[] = {{"ID", r->id, sizeof r->id},
		{"VERSION_ID", r->version_id, sizeof r->version_id},
		{confext ? "CONFEXT_LEVEL" : "SYSEXT_LEVEL", r->level, sizeof r->level},
		{confext ? "CONFEXT_SCOPE" : "SYSEXT_SCOPE", r->scope, sizeof r->scope},
		{"ARCHITECTURE", r->architecture, sizeof r->architecture}};
	unsigned number = 0;
	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		int result = parse_line(span_of(text.data, size), fields,
			sizeof fields / sizeof fields[0], ++number, name);
		if (result < 0)
			return result;
		size += end ? 1 : 0;
		text = span_of(text.data + size, text.size - size);
	}
	return 0;
}

/* Whether LIST, words between spaces, has WORD. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);
	while (*list) {
		list += strspn(list, " ");
		size_t n = strcspn(list, " ");
		if (n == length && !strncmp(list, word, n))
			return true;
		list += n;
	}
	return false;
}

static int unfit(const char *name, const char *key, const char *is, const char *wanted)
{
	return error_format("%s: is not for this system: %s=%s, not %s", name, key,
		*is ? is : "(nothing)", *wanted ? wanted : "(nothing)");
}

int release_match(const struct release *e, const struct release *host, const char *name)
{
	if (!*e->id)
		return error_format("%s: its extension-release has no ID", name);
	if (*e->scope && !has_word(e->scope, "system"))
		return unfit(name, "SCOPE", e->scope, "system");
	if (*e->architecture && strcmp(e->architecture, "_any") != 0 &&
		strcmp(e->architecture, dps_native()) != 0)
		return unfit(name, "ARCHITECTURE", e->architecture, dps_native());
	if (!strcmp(e->id, "_any"))
		return 0;
	if (!*host->id || strcmp(e->id, host->id) != 0)
		return unfit(name, "ID", e->id, host->id);
	if (*host->level && *e->level)
		return strcmp(e->level, host->level)
			       ? unfit(name, "LEVEL", e->level, host->level)
			       : 0;
	if (*host->version_id && strcmp(e->version_id, host->version_id) != 0)
		return unfit(name, "VERSION_ID", e->version_id, host->version_id);
	return 0;
}
