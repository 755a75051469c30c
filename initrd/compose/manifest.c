/* SPDX-License-Identifier: MIT */
#include "initrd/compose/manifest.h"

#include <stdlib.h>
#include <string.h>

#define HEADER "cairn composition 1"

static const char *const modes[] = {"immutable", "ephemeral", "mutable"};

const char *compose_mode_name(enum compose_mode mode)
{
	return modes[mode];
}

/* Cuts the next line off TEXT into LINE, as a string; false at the end. */
static bool next_line(struct span *text, char line[512])
{
	const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
	size_t size = end ? (size_t)(end - text->data) : 0;
	if (!end || size >= 512 || memchr(text->data, 0, size))
		return false;
	memcpy(line, text->data, size);
	line[size] = 0;
	*text = span_of(end + 1, text->size - size - 1);
	return true;
}

static const char *value_of(const char *line, const char *key)
{
	size_t length = strlen(key);
	return !strncmp(line, key, length) && line[length] == ' ' ? line + length + 1
								  : NULL;
}

static bool parse_body_line(struct manifest *m, const char *line)
{
	const char *value;
	if (value_of(line, "extension"))
		return true;
	if ((value = value_of(line, "class"))) {
		m->class = !strcmp(value, "confext") ? CLASS_CONFEXT : CLASS_SYSEXT;
		return !strcmp(value, class_name(m->class));
	}
	value = value_of(line, "mode");
	for (int i = 0; value && i <= MODE_MUTABLE; i++)
		if (!strcmp(value, modes[i])) {
			m->mode = (enum compose_mode)i;
			return true;
		}
	return false;
}

static bool parse_hierarchy(struct manifest *m, const char *line)
{
	const char *value = value_of(line, "hierarchy");
	for (int h = 0; value && h < N_HIERARCHIES; h++)
		if (!strcmp(value, hierarchy_name((enum hierarchy)h)))
			return m->has[h] = true;
	return false;
}

int manifest_parse(struct manifest *m, struct span text, const char *name)
{
	char line[512];
	const char *value = NULL;
	*m = (struct manifest){.sequence = 0};
	bool good = next_line(&text, line) && !strcmp(line, HEADER) &&
		    next_line(&text, line) && (value = value_of(line, "sequence"));
	if (good)
		m->sequence = (unsigned)strtoul(value, NULL, 10);
	m->body = span_of(text.data, 0);
	while (good && text.size) {
		struct span before = text;
		good = next_line(&text, line);
		if (good && value_of(line, "hierarchy")) {
			good = parse_hierarchy(m, line);
			continue;
		}
		good = good && m->body.data + m->body.size == before.data &&
		       parse_body_line(m, line);
		m->body.size += before.size - text.size;
	}
	return good ? 0 : error_format("%s: is no list of a composition", name);
}

int manifest_write(struct buffer *text, unsigned sequence, struct span body,
	const bool has[N_HIERARCHIES])
{
	int r = buffer_printf(text, HEADER "\nsequence %u\n", sequence);
	if (r == 0)
		r = buffer_append(text, body.data, body.size);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		if (has[h])
			r = buffer_printf(text, "hierarchy %s\n",
				hierarchy_name((enum hierarchy)h));
	return r;
}

int manifest_extensions(const struct manifest *m,
	int (*found)(void *context, char *words[3]), void *context)
{
	struct span text = m->body;
	char line[512], *words[3], *save;
	int r = 0;
	while (r >= 0 && next_line(&text, line)) {
		if (!value_of(line, "extension"))
			continue;
		strtok_r(line, " ", &save);
		for (int i = 0; i < 3; i++)
			if (!(words[i] = strtok_r(NULL, " ", &save)))
				return error_format("the list of a composition is cut");
		r = found(context, words);
	}
	return r;
}
