/* SPDX-License-Identifier: MIT */
#include "core/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "core/utf8.h"

/* Of the thread's documents: a member could not be made. */
static _Thread_local bool incomplete;

void json_add(json_object *object, const char *key, json_object *value)
{
	if (!object || !value || json_object_object_add(object, key, value) < 0)
		incomplete = true;
}

/* Adds TEXT as UTF-8. Returns whether that is all there is to it. */
static bool add_clean(json_object *object, const char *key, struct span text)
{
	BUFFER clean = {0};
	size_t kept = 0, at = 0;
	int r = 0;
	while (r == 0 && at < text.size) {
		size_t n = utf8_length(span_of(text.data + at, text.size - at));
		at += n;
		if (n)
			continue;
		r = buffer_append(&clean, text.data + kept, at - kept);
		if (r == 0)
			r = buffer_append(&clean, "\xef\xbf\xbd", 3);
		kept = ++at;
	}
	bool exact = kept == 0;
	if (r == 0 && kept < text.size)
		r = buffer_append(&clean, text.data + kept, text.size - kept);
	if (r < 0)
		incomplete = true;
	json_add(object, key,
		json_object_new_string_len(buffer_text(&clean), (int)clean.size));
	return exact;
}

void json_add_text(json_object *object, const char *key, const char *value)
{
	if (value)
		add_clean(object, key, span_of(value, strlen(value)));
	else if (!object || json_object_object_add(object, key, NULL) < 0)
		incomplete = true;
}

void json_add_number(json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, json_object_new_uint64(value));
}

void json_add_bool(json_object *object, const char *key, int value)
{
	json_add(object, key, json_object_new_boolean(value));
}

void json_add_hex(json_object *object, const char *key, const void *data, size_t size)
{
	char *text = malloc(2 * size + 1);
	if (text)
		json_add(object, key,
			json_object_new_string(hex_encode(data, size, text)));
	else
		incomplete = true;
	free(text);
}

void json_append(json_object *array, json_object *value)
{
	if (!array || !value || json_object_array_add(array, value) < 0)
		incomplete = true;
}

void json_add_bytes(json_object *object, const char *key, struct span text)
{
	bool exact = add_clean(object, key, text);
	char *hex_key = NULL;
	if (!exact && asprintf(&hex_key, "%s_hex", key) > 0)
		json_add_hex(object, hex_key, text.data, text.size);
	free(hex_key);
}

int json_save(json_object *document, struct buffer *text)
{
	const char *s = incomplete || !document
				? NULL
				: json_object_to_json_string_ext(document,
					  JSON_C_TO_STRING_PRETTY |
						  JSON_C_TO_STRING_NOSLASHESCAPE |
						  JSON_C_TO_STRING_SPACED);
	incomplete = false;
	return s ? buffer_printf(text, "%s\n", s) : error_memory();
}

int json_print(json_object *document)
{
	BUFFER text = {0};
	int r = json_save(document, &text);
	if (r < 0)
		return r;
	if (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout))
		return error_errno("cannot write to standard output");
	return 0;
}

int json_parse(struct span text, const char *name, size_t limit, json_object **value)
{
	*value = NULL;
	if (text.size > limit)
		return error_format("%s: JSON of %zu bytes, at most %zu are allowed",
			name, text.size, limit);
	json_tokener *tokener = json_tokener_new_ex(16);
	if (!tokener)
		return error_memory();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json_object *parsed =
		json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.size);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener);
	while (end < text.size && (text.data[end] == '\n' || text.data[end] == ' '))
		end++;
	json_tokener_free(tokener);
	if (!parsed || error != json_tokener_success || end != text.size) {
		json_object_put(parsed);
		return error_format("%s: not valid JSON at offset %zu: %s", name, end,
			error == json_tokener_success ? "more follows"
						      : json_tokener_error_desc(error));
	}
	*value = parsed;
	return 0;
}
