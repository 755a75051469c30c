/* SPDX-License-Identifier: MIT */
#include "verifier/junit.h"

#include "core/xml.h"

static int put_attribute(struct buffer *xml, const char *name, const char *value)
{
	int e = buffer_printf(xml, " %s=\"", name);
	if (e == 0)
		e = xml_string(xml, value);
	return e < 0 ? e : buffer_printf(xml, "\"");
}

static bool could_not_run(const struct finding *f)
{
	return f->status == STATUS_UNCHECKED || f->status == STATUS_FAILED;
}

static int put_case(struct buffer *xml, const struct finding *f)
{
	BUFFER place = {0};
	const char *element = could_not_run(f) ? "error" : "failure";
	char type[16];
	snprintf(type, sizeof type, "status-%d", (int)f->status);
	int e = place_print(&f->place, &place);
	if (e == 0)
		e = buffer_printf(xml, "    <testcase");
	if (e == 0)
		e = put_attribute(xml, "classname", f->check);
	if (e == 0)
		e = put_attribute(xml, "name", buffer_text(&place));
	if (e < 0 || f->kind == FINDING_GOOD)
		return e < 0 ? e : buffer_printf(xml, "/>\n");
	e = buffer_printf(xml, ">\n      <%s", element);
	if (e == 0)
		e = put_attribute(xml, "type", type);
	if (e == 0)
		e = put_attribute(xml, "message", f->text);
	return e < 0 ? e : buffer_printf(xml, "/>\n    </testcase>\n");
}

static int put_remark(struct buffer *xml, const struct finding *f)
{
	int e = buffer_printf(
		xml, "%s: ", f->kind == FINDING_NOTE ? "note" : "uncovered");
	if (e == 0)
		e = xml_string(xml, f->place.area);
	if (e == 0)
		e = buffer_printf(xml, ": ");
	if (e == 0)
		e = xml_string(xml, f->text);
	return e < 0 ? e : buffer_printf(xml, "\n");
}

static int put_suite(
	struct buffer *xml, const struct report *r, const char *name, double seconds)
{
	size_t errors = 0;
	for (size_t i = 0; i < r->n_findings; i++)
		errors += r->findings[i].kind == FINDING_FAULT &&
			  could_not_run(&r->findings[i]);
	int e = buffer_printf(xml, "  <testsuite");
	if (e == 0)
		e = put_attribute(xml, "name", name);
	return e < 0 ? e
		     : buffer_printf(xml,
			       " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
			       "time=\"%.3f\">\n",
			       report_count(r, FINDING_GOOD) + r->n_faults,
			       r->n_faults - errors, errors, seconds);
}

static int put_findings(struct buffer *xml, const struct report *r, bool remarks)
{
	int e = 0;
	for (size_t i = 0; e == 0 && i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		if ((f->kind > FINDING_FAULT) == remarks)
			e = remarks ? put_remark(xml, f) : put_case(xml, f);
	}
	return e;
}

int report_junit(
	const struct report *r, const char *name, double seconds, struct buffer *xml)
{
	int e = buffer_printf(
		xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	if (e == 0)
		e = put_suite(xml, r, name, seconds);
	if (e == 0)
		e = put_findings(xml, r, false);
	if (e == 0)
		e = buffer_printf(xml, "    <system-out>");
	if (e == 0)
		e = put_findings(xml, r, true);
	return e < 0 ? e
		     : buffer_printf(
			       xml, "</system-out>\n  </testsuite>\n</testsuites>\n");
}
