/* SPDX-License-Identifier: MIT */
#include "verifier/examine/tree_findings.h"

#include <string.h>

/* Kept free for what is said of those that there is no room for, and for the end. */
#define LAST_LINES 1024

#define NAME "findings"

/* Checks that verifier/payload.h makes of a tree, by name: findings keep the pointer. */
static const char *const checks[] = {"tree", "locate"};
static const enum status statuses[] = {
	STATUS_CONTENT, STATUS_UNCHECKED, STATUS_FAILED, STATUS_FORMAT};

/* ---- out --------------------------------------------------------------------------- */

static json_object *line_of(const struct finding *f)
{
	json_object *line = json_object_new_object();
	json_add_number(line, "kind", f->kind);
	json_add(line, "finding", report_finding_json(f));
	return line;
}

/* Returns 1 if there is no room for it. */
static int print(const struct finding *f, struct buffer *text, size_t limit)
{
	json_object *line = line_of(f);
	size_t size = 0;
	const char *s =
		json_object_to_json_string_length(line, JSON_C_TO_STRING_PLAIN, &size);
	int r = !s ? error_memory() : 0;
	if (r == 0 && size + 1 > limit - text->size)
		r = 1;
	if (r == 0)
		r = buffer_append(text, s, size);
	if (r == 0)
		r = buffer_append(text, "\n", 1);
	json_object_put(line);
	return r;
}

int tree_findings_print(const struct report *r, struct buffer *text)
{
	AUTO_REPORT more = {0};
	int e = r->incomplete ? error_memory() : 0;
	size_t n = 0;
	while (e == 0 && n < r->n_findings) {
		e = print(&r->findings[n], text, TREE_FINDINGS_MAX - LAST_LINES);
		n += e == 0;
	}
	if (e > 0) {
		report_fault(&more, r->status ? r->status : STATUS_UNCHECKED, "tree",
			&(struct place){.area = "image"},
			"and %zu more findings that there is no room for",
			r->n_findings - n);
		e = more.incomplete ? error_memory()
				    : print(&more.findings[0], text, TREE_FINDINGS_MAX);
	}
	return e < 0 ? e : buffer_printf(text, "{\"end\":true}\n");
}

/* ---- in ---------------------------------------------------------------------------- */

static int malformed(void)
{
	return error_format(NAME ": not as they are sent");
}

/* A number of at most MAX; 0 if there is none. */
static int number(json_object *o, const char *key, uint64_t max, uint64_t *value)
{
	json_object *v;
	*value = 0;
	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
		return malformed();
	*value = json_object_get_uint64(v);
	return *value > max ? malformed() : 0;
}

/* Text without a NUL; NULL if there is none. */
static const char *text_of(json_object *o, const char *key)
{
	json_object *v;
	if (!json_object_object_get_ex(o, key, &v) ||
		!json_object_is_type(v, json_type_string))
		return NULL;
	const char *s = json_object_get_string(v);
	return strlen(s) == (size_t)json_object_get_string_len(v) ? s : NULL;
}

static int take_place(json_object *o, uint64_t size, struct place *place)
{
	uint64_t partition = 0;
	int r = number(o, "partition", UINT32_MAX, &partition);
	if (r == 0)
		r = number(o, "offset", size, &place->offset);
	if (r == 0)
		r = number(o, "size", size - place->offset, &place->size);
	if (r == 0)
		r = number(o, "block", size, &place->block);
	if (r == 0)
		r = number(o, "blocks", size, &place->n_blocks);
	place->partition = (uint32_t)partition;
	place->area = text_of(o, "area");
	return r == 0 && !place->area ? malformed() : r;
}

static int take_check(json_object *o, struct finding *f)
{
	const char *check = text_of(o, "check");
	uint64_t status = 0;
	for (size_t i = 0; check && i < sizeof checks / sizeof checks[0]; i++)
		if (strcmp(checks[i], check) == 0)
			f->check = checks[i];
	int r = number(o, "status", UINT8_MAX, &status);
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (status == (uint64_t)statuses[i])
			f->status = statuses[i];
	bool sound = f->check && (f->kind != FINDING_FAULT || f->status);
	return r == 0 && !sound ? malformed() : r;
}

static int add(json_object *o, const struct finding *f, struct report *report)
{
	const char *text = text_of(o, "text");
	json_object *where = NULL;
	if (!text)
		return malformed();
	switch (f->kind) {
	case FINDING_GOOD:
		report_good(report, f->check, &f->place, "%s", text);
		return 0;
	case FINDING_FAULT:
		if (json_object_object_get_ex(o, "where", &where) &&
			!json_object_is_type(where, json_type_array))
			return malformed();
		report_damage(report, f->status, f->check, &f->place,
			json_object_get(where), "%s", text);
		return 0;
	case FINDING_NOTE:
		report_note(report, f->check, &f->place, "%s", text);
		return 0;
	case FINDING_UNCOVERED:
		report_uncovered(report, f->check, &f->place, "%s", text);
		return 0;
	}
	return malformed();
}

static int take_finding(json_object *line, uint64_t size, struct report *report)
{
	json_object *o;
	uint64_t kind;
	int r = number(line, "kind", FINDING_UNCOVERED, &kind);
	if (r < 0)
		return r;
	if (!json_object_object_get_ex(line, "finding", &o) ||
		!json_object_is_type(o, json_type_object))
		return malformed();
	struct finding f = {.kind = (enum finding_kind)kind};
	r = take_check(o, &f);
	if (r == 0)
		r = take_place(o, size, &f.place);
	return r < 0 ? r : add(o, &f, report);
}

/* Returns 1 at the end. */
static int take_line(struct span text, uint64_t size, struct report *report)
{
	json_object *line;
	int r = json_parse(text, NAME, TREE_FINDINGS_MAX, &line);
	if (r < 0)
		return r;
	if (!json_object_is_type(line, json_type_object))
		r = malformed();
	else if (json_object_object_get_ex(line, "end", NULL))
		r = 1;
	else
		r = take_finding(line, size, report);
	json_object_put(line);
	return r;
}

int tree_findings_take(struct span text, uint64_t size, struct report *report)
{
	int r = 0;
	while (r == 0 && text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		if (!end)
			return malformed();
		size_t n = (size_t)(end - text.data);
		r = take_line(span_of(text.data, n), size, report);
		text = span_of(end + 1, text.size - n - 1);
	}
	return r < 0 ? r : r > 0 && text.size == 0 ? 0 : malformed();
}
