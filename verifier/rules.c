/* SPDX-License-Identifier: MIT */
#include "verifier/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/dps.h"
#include "core/file.h"
#include "core/json.h"
#include "core/number.h"

static const char *const names[RULE_N] = {
	[RULE_MAX_SIZE] = "max-size",
	[RULE_PARTITION] = "partition",
	[RULE_OTHER_PARTITIONS] = "other-partitions",
	[RULE_FILE_SYSTEM] = "file-system",
	[RULE_PURPOSE] = "purpose",
	[RULE_MIN_KEY_BITS] = "min-key-bits",
	[RULE_PACKAGE] = "package",
	[RULE_NO_PACKAGE] = "no-package",
	[RULE_SETUID] = "setuid",
};

/* Rules that can hold only once; of the others each adds a demand. */
static const bool single[RULE_N] = {
	[RULE_MAX_SIZE] = true,
	[RULE_OTHER_PARTITIONS] = true,
	[RULE_FILE_SYSTEM] = true,
	[RULE_PURPOSE] = true,
	[RULE_MIN_KEY_BITS] = true,
	[RULE_SETUID] = true,
};

const char *rule_name(enum rule_key key)
{
	return names[key];
}

const struct rule *rules_find(const struct rules *r, enum rule_key key)
{
	for (size_t i = 0; i < r->n_items; i++)
		if (r->items[i].key == key)
			return &r->items[i];
	return NULL;
}

void rules_free(struct rules *r)
{
	for (size_t i = 0; i < r->n_items; i++)
		free(r->items[i].value);
	free(r->items);
	*r = (struct rules){0};
}

static bool find_key(struct span name, enum rule_key *key)
{
	for (*key = 0; *key < RULE_N; (*key)++)
		if (strlen(names[*key]) == name.size &&
			!memcmp(names[*key], name.data, name.size))
			return true;
	return false;
}

static bool is_plain(struct span value)
{
	for (size_t i = 0; i < value.size; i++)
		if (value.data[i] < 0x20 || value.data[i] == 0x7f)
			return false;
	return value.size > 0;
}

/* Whether the value makes sense for its key; its number is set. */
static bool is_sensible(struct rule *rule)
{
	enum purpose purpose;
	switch (rule->key) {
	case RULE_MAX_SIZE:
		return number_parse_size(rule->value, &rule->number);
	case RULE_MIN_KEY_BITS:
		return number_parse(rule->value, &rule->number);
	case RULE_OTHER_PARTITIONS:
		return !strcmp(rule->value, "refuse");
	case RULE_PARTITION:
		return dps_by_name(rule->value) != NULL;
	case RULE_PURPOSE:
		return purpose_by_name(rule->value, &purpose) == 0;
	default:
		return true;
	}
}

/* Adds a rule; WHERE says in messages which line or member it is. */
static int add(struct rules *r, struct span name, struct span value, const char *where)
{
	struct rule rule = {0};
	if (!is_plain(name) || !find_key(name, &rule.key))
		return error_format("%s: no rule '%.*s' is known", where,
			(int)(name.size < 40 ? name.size : 40), (const char *)name.data);
	if (single[rule.key] && rules_find(r, rule.key))
		return error_format("%s: %s comes twice", where, names[rule.key]);
	if (!is_plain(value))
		return error_format("%s: %s has no value", where, names[rule.key]);
	struct rule *more = reallocarray(r->items, r->n_items + 1, sizeof rule);
	if (!more)
		return error_memory();
	r->items = more;
	rule.value = strndup((const char *)value.data, value.size);
	if (!rule.value)
		return error_memory();
	r->items[r->n_items++] = rule; /* owned from here on, also if it is refused */
	if (!is_sensible(&r->items[r->n_items - 1]))
		return error_format(
			"%s: %s=%s makes no sense", where, names[rule.key], rule.value);
	return 0;
}

/* ---- lines ------------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.size && is_space(s.data[0]))
		s = span_of(s.data + 1, s.size - 1);
	while (s.size && is_space(s.data[s.size - 1]))
		s.size--;
	return s;
}

static int take_line(struct rules *r, struct span line, const char *where)
{
	line = trim(line);
	if (!line.size || line.data[0] == '#')
		return 0;
	const uint8_t *equals = memchr(line.data, '=', line.size);
	if (!equals)
		return error_format("%s: is not KEY=VALUE", where);
	size_t at = (size_t)(equals - line.data);
	return add(r, trim(span_of(line.data, at)),
		trim(span_of(equals + 1, line.size - at - 1)), where);
}

static int take_lines(struct rules *r, struct span text, const char *name)
{
	int e = 0;
	for (size_t number = 1; e == 0 && text.size; number++) {
		BUFFER where = {0};
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		e = buffer_printf(&where, "%s: line %zu", name, number);
		if (e == 0)
			e = take_line(r, span_of(text.data, size), buffer_text(&where));
		size += end != NULL;
		text = span_of(text.data + size, text.size - size);
	}
	return e;
}

/* ---- JSON -------------------------------------------------------------------------- */

static int take_value(
	struct rules *r, const char *key, json_object *value, const char *name)
{
	enum json_type type = json_object_get_type(value);
	if (type != json_type_string && type != json_type_int)
		return error_format("%s: %s is neither text nor a number", name, key);
	const char *text = json_object_get_string(value);
	size_t size = type == json_type_string ? (size_t)json_object_get_string_len(value)
					       : strlen(text);
	return add(r, span_of(key, strlen(key)), span_of(text, size), name);
}

static int take_member(
	struct rules *r, const char *key, json_object *value, const char *name)
{
	if (!json_object_is_type(value, json_type_array))
		return take_value(r, key, value, name);
	int e = 0;
	for (size_t i = 0; e == 0 && i < json_object_array_length(value); i++)
		e = take_value(r, key, json_object_array_get_idx(value, i), name);
	return e;
}

static int take_json(struct rules *r, struct span text, const char *name)
{
	json_object *document = NULL;
	int e = json_parse(text, name, RULES_MAX_SIZE, &document);
	if (e == 0 && !json_object_is_type(document, json_type_object))
		e = error_format("%s: is no JSON object", name);
	if (e == 0) {
		struct json_object_iterator i = json_object_iter_begin(document),
					    end = json_object_iter_end(document);
		for (; e == 0 && !json_object_iter_equal(&i, &end);
			json_object_iter_next(&i))
			e = take_member(r, json_object_iter_peek_name(&i),
				json_object_iter_peek_value(&i), name);
	}
	json_object_put(document);
	return e;
}

int rules_parse(struct rules *r, struct span text, const char *name)
{
	struct span bare = trim(text);
	int e = bare.size && bare.data[0] == '{' ? take_json(r, text, name)
						 : take_lines(r, text, name);
	if (e == 0 && r->n_items == 0)
		e = error_format("%s: there is no rule in it", name);
	return e;
}

int rules_load(struct rules *r, const char *path)
{
	BUFFER text = {0};
	int e = file_slurp(path, RULES_MAX_SIZE, &text);
	return e < 0 ? e : rules_parse(r, buffer_span(&text), path);
}
