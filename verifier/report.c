/* SPDX-License-Identifier: MIT */
#include "verifier/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		free((char *)(uintptr_t)r->findings[i].place.area);
		free(r->findings[i].text);
		json_object_put(r->findings[i].where);
	}
	free(r->findings);
	*r = (struct report){0};
}

static struct finding *grow(struct report *r)
{
	if (r->n_findings == r->capacity) {
		size_t capacity = r->capacity ? 2 * r->capacity : 32;
		struct finding *more = reallocarray(r->findings, capacity, sizeof *more);
		if (!more)
			return NULL;
		r->findings = more;
		r->capacity = capacity;
	}
	return &r->findings[r->n_findings];
}

static void log_finding(struct event_log *log, const struct finding *f)
{
	static const char *const words[] = {[FINDING_GOOD] = "ok",
		[FINDING_FAULT] = "fault",
		[FINDING_NOTE] = "note",
		[FINDING_UNCOVERED] = "uncovered"};
	BUFFER place = {0};
	if (place_print(&f->place, &place) < 0)
		log->incomplete = true;
	else if (f->kind == FINDING_FAULT)
		event_log_add(log, words[f->kind], "%s: %s: %s (status %d)", f->check,
			buffer_text(&place), f->text, (int)f->status);
	else
		event_log_add(log, words[f->kind], "%s: %s: %s", f->check,
			buffer_text(&place), f->text);
}

static void ERROR_PRINTF(6, 0) add(struct report *r, enum finding_kind kind,
	enum status status, const char *check, const struct place *place,
	const char *format, va_list args)
{
	/* Counted first: even without memory for its text a fault stays a fault. */
	if (kind == FINDING_FAULT) {
		r->n_faults++;
		r->status = status_worse(r->status, status);
	}
	struct finding *f = grow(r);
	char *text = NULL;
	char *area = strdup(place->area);
	if (!f || !area || vasprintf(&text, format, args) < 0) {
		free(area);
		r->incomplete = true;
		return;
	}
	/* Names and words come from the image. */
	error_defuse(area);
	error_defuse(text);
	*f = (struct finding){.kind = kind,
		.status = status,
		.check = check,
		.place = *place,
		.text = text};
	f->place.area = area;
	r->n_findings++;
	if (r->log)
		log_finding(r->log, f);
}

void report_good(struct report *r, const char *check, const struct place *place,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(r, FINDING_GOOD, STATUS_GOOD, check, place, format, args);
	va_end(args);
}

void report_fault(struct report *r, enum status status, const char *check,
	const struct place *place, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(r, FINDING_FAULT, status, check, place, format, args);
	va_end(args);
}

void report_damage(struct report *r, enum status status, const char *check,
	const struct place *place, json_object *where, const char *format, ...)
{
	size_t n = r->n_findings;
	va_list args;
	va_start(args, format);
	add(r, FINDING_FAULT, status, check, place, format, args);
	va_end(args);
	if (r->n_findings > n)
		r->findings[n].where = where;
	else
		json_object_put(where);
}

void report_note(struct report *r, const char *check, const struct place *place,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(r, FINDING_NOTE, STATUS_GOOD, check, place, format, args);
	va_end(args);
}

void report_uncovered(struct report *r, const char *check, const struct place *place,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(r, FINDING_UNCOVERED, STATUS_GOOD, check, place, format, args);
	va_end(args);
}

void report_error(
	struct report *r, const char *check, const struct place *place, const char *name)
{
	const char *text = error_text();
	size_t n = strlen(name);
	if (!strncmp(text, name, n) && !strncmp(text + n, ": ", 2))
		text += n + 2;
	report_fault(r, error_status(), check, place, "%s", text);
}

int place_print(const struct place *place, struct buffer *text)
{
	int e = buffer_printf(text, "%s", place->area);
	if (e == 0 && place->n_blocks == 1)
		e = buffer_printf(text, ", block %ju", (uintmax_t)place->block);
	else if (e == 0 && place->n_blocks > 1)
		e = buffer_printf(text, ", blocks %ju-%ju", (uintmax_t)place->block,
			(uintmax_t)(place->block + place->n_blocks - 1));
	if (e == 0 && place->size)
		e = buffer_printf(text, " (offset %ju, %ju bytes)",
			(uintmax_t)place->offset, (uintmax_t)place->size);
	return e;
}

static const struct finding *worst(const struct report *r)
{
	for (size_t i = 0; i < r->n_findings; i++)
		if (r->findings[i].kind == FINDING_FAULT &&
			r->findings[i].status == r->status)
			return &r->findings[i];
	return NULL;
}

int report_finish(const struct report *r, const char *name)
{
	if (r->incomplete)
		return error_memory();
	const struct finding *f = worst(r);
	if (!f)
		return 0;
	BUFFER place = {0};
	int e = place_print(&f->place, &place);
	if (e < 0)
		return e;
	char more[48] = "";
	if (r->n_faults > 1)
		snprintf(more, sizeof more, " (and %zu more fault%s)", r->n_faults - 1,
			r->n_faults == 2 ? "" : "s");
	return error_set(r->status, EBADMSG, "%s: %s: %s%s", name, buffer_text(&place),
		f->text, more);
}

size_t report_count(const struct report *r, enum finding_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_findings; i++)
		n += r->findings[i].kind == kind;
	return n;
}

void report_print(const struct report *r, const char *name, FILE *out)
{
	static const char *const words[] = {[FINDING_GOOD] = "ok",
		[FINDING_FAULT] = "FAULT",
		[FINDING_NOTE] = "note",
		[FINDING_UNCOVERED] = "uncovered"};
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		BUFFER place = {0};
		place_print(&f->place, &place);
		fprintf(out, "%-9s  %s: %s\n", words[f->kind], buffer_text(&place),
			f->text);
	}
	fprintf(out,
		"%-9s  %s: %zu checks passed, %zu failed; %zu things are uncovered\n",
		r->n_faults ? "BAD" : "good", name, report_count(r, FINDING_GOOD),
		r->n_faults, report_count(r, FINDING_UNCOVERED));
}

json_object *report_finding_json(const struct finding *f)
{
	json_object *o = json_object_new_object();
	json_add_text(o, "check", f->check);
	if (f->kind <= FINDING_FAULT)
		json_add_number(o, "status", f->status);
	json_add_text(o, "area", f->place.area);
	if (f->place.partition)
		json_add_number(o, "partition", f->place.partition);
	if (f->place.size) {
		json_add_number(o, "offset", f->place.offset);
		json_add_number(o, "size", f->place.size);
	}
	if (f->place.n_blocks) {
		json_add_number(o, "block", f->place.block);
		json_add_number(o, "blocks", f->place.n_blocks);
	}
	json_add_bytes(o, "text", span_of(f->text, strlen(f->text)));
	if (f->where)
		json_add(o, "where", json_object_get(f->where));
	return o;
}

void report_json(const struct report *r, json_object *document)
{
	static const enum finding_kind last[] = {
		FINDING_FAULT, FINDING_NOTE, FINDING_UNCOVERED};
	static const char *const keys[] = {"checks", "notes", "uncovered"};
	json_add_number(document, "status", r->status);
	json_add_number(document, "faults", r->n_faults);
	for (size_t k = 0; k < 3; k++) {
		json_object *list = json_object_new_array();
		for (size_t i = 0; i < r->n_findings; i++) {
			const struct finding *f = &r->findings[i];
			if (f->kind == last[k] || (k == 0 && f->kind == FINDING_GOOD))
				json_append(list, report_finding_json(f));
		}
		json_add(document, keys[k], list);
	}
}
