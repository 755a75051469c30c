/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_JSON_H
#define CAIRN_CORE_JSON_H

#include <json-c/json.h>
#include <stdint.h>

#include "core/buffer.h"

/*
 * Reports in JSON, on json-c. Objects keep the order in which members were added, so
 * the same report is the same text. The json_add functions do not fail one by one: a
 * member that could not be made marks the document, and json_save refuses it.
 */

void json_add(json_object *object, const char *key, json_object *value); /* takes VALUE */
/* NULL: null. What is not UTF-8 becomes U+FFFD: half a report is better than none. */
void json_add_text(json_object *object, const char *key, const char *value);
void json_add_number(json_object *object, const char *key, uint64_t value);
void json_add_bool(json_object *object, const char *key, int value);
void json_add_hex(json_object *object, const char *key, const void *data, size_t size);
void json_append(json_object *array, json_object *value); /* takes VALUE */

/*
 * Text of any bytes: what is not UTF-8 is kept apart as KEY + "_hex", and KEY then holds
 * the text with each offending byte replaced by U+FFFD.
 */
void json_add_bytes(json_object *object, const char *key, struct span text);

/* Indented text with a final newline. -ENOMEM if any member could not be made. */
int json_save(json_object *document, struct buffer *text);

/* The same, onto stdout. */
int json_print(json_object *document);

/* Parses exactly one value of at most LIMIT bytes; STATUS_FORMAT names NAME and offset.
 */
int json_parse(struct span text, const char *name, size_t limit, json_object **value);

#endif
