/* SPDX-License-Identifier: MIT */
#include "verifier/page.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "core/xml.h"
#include "verifier/page_style.h"

void page_put(struct page *p, const char *markup)
{
	if (p->error == 0)
		p->error = buffer_append(p->to, markup, strlen(markup));
}

void page_printf(struct page *p, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0) {
		p->error = p->error ? p->error : error_memory();
		return;
	}
	page_put(p, text);
	free(text);
}

void page_plain(struct page *p, const char *text)
{
	if (p->error == 0)
		p->error = xml_string(p->to, text);
}

/* Of three bytes in UTF-8; what is invisible, or turns the direction of writing. */
static unsigned invisible(struct span c)
{
	if (c.size != 3)
		return 0;
	unsigned code =
		(c.data[0] & 15u) << 12 | (c.data[1] & 63u) << 6 | (c.data[2] & 63u);
	bool hidden = (code >= 0x200b && code <= 0x200f) ||
		      (code >= 0x2028 && code <= 0x202e) ||
		      (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
	return hidden ? code : 0;
}

void page_text(struct page *p, struct span text)
{
	while (text.size && p->error == 0) {
		size_t n = utf8_length(text);
		struct span c = span_of(text.data, n ? n : 1);
		unsigned code = invisible(c);
		if (code)
			page_printf(p, "<span class=\"byte\">U+%04X</span>", code);
		else if (n && *c.data != '\n' && xml_can_hold(c))
			p->error = xml_text(p->to, c);
		else
			for (size_t i = 0; i < c.size; i++)
				page_printf(
					p, "<span class=\"byte\">%02X</span>", c.data[i]);
		text = span_of(text.data + c.size, text.size - c.size);
	}
}

void page_string(struct page *p, const char *text)
{
	page_text(p, span_of(text, strlen(text)));
}

void page_element(struct page *p, const char *name, const char *text)
{
	page_printf(p, "<%s>", name);
	page_string(p, text);
	page_printf(p, "</%s>\n", name);
}

void page_row(struct page *p, const char *heading, const char *text)
{
	page_put(p, "<tr><th scope=\"row\">");
	page_string(p, heading);
	page_put(p, "</th><td>");
	page_string(p, text);
	page_put(p, "</td></tr>\n");
}

/* The one style sheet is allowed by its hash: nothing else is, whatever stands below. */
static void put_policy(struct page *p)
{
	const struct span style = span_of(page_style, strlen(page_style));
	uint8_t digest[32];
	char base64[48];
	if (p->error == 0)
		p->error = hash_parts(HASH_SHA256, &style, 1, digest);
	if (p->error < 0)
		return;
	EVP_EncodeBlock((uint8_t *)base64, digest, sizeof digest);
	page_printf(p,
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
		"'none'; style-src 'sha256-%s'; form-action 'none'; base-uri "
		"'none'\"/>\n",
		base64);
}

void page_begin(struct page *p, const char *title, const char *subject)
{
	page_put(p, "<!DOCTYPE html>\n"
		    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\" "
		    "xml:lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
	put_policy(p);
	page_put(p, "<meta name=\"viewport\" content=\"width=device-width, "
		    "initial-scale=1\"/>\n<title>");
	page_plain(p, title);
	page_put(p, subject ? " " : "");
	page_plain(p, subject ? subject : "");
	page_put(p, "</title>\n<style>");
	page_put(p, page_style);
	page_put(p, "</style>\n</head>\n<body>\n<main>\n<h1>");
	page_string(p, title);
	if (subject) {
		page_put(p, " <bdi>");
		page_string(p, subject);
		page_put(p, "</bdi>");
	}
	page_put(p, "</h1>\n");
}

void page_end(struct page *p)
{
	page_put(p, "</main>\n<footer>Made by cairn " CAIRN_VERSION
		    ". This page loads nothing and runs nothing.</footer>\n"
		    "</body>\n</html>\n");
}

const char *page_size(uint64_t bytes, char text[PAGE_SIZE_TEXT])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t unit = 0;
	double value = (double)bytes;
	while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		unit++;
	}
	snprintf(text, PAGE_SIZE_TEXT, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

/* ---- findings --------------------------------------------------------------------- */

static void put_place(struct page *p, const struct finding *f)
{
	BUFFER place = {0};
	if (p->error == 0)
		p->error = place_print(&f->place, &place);
	page_put(p, "<td>");
	page_text(p, buffer_span(&place));
	page_put(p, "</td>");
}

static void put_finding(struct page *p, const struct finding *f)
{
	page_put(p, "<tr>");
	if (f->kind == FINDING_GOOD)
		page_put(p, "<td class=\"word good\">&#x2713; passed</td>");
	else if (f->kind == FINDING_FAULT)
		page_printf(p, "<td class=\"word bad\">&#x2717; failed (%d)</td>",
			(int)f->status);
	page_put(p, "<td class=\"check\">");
	page_string(p, f->check);
	page_put(p, "</td>");
	put_place(p, f);
	page_put(p, "<td>");
	page_string(p, f->text);
	page_put(p, "</td></tr>\n");
}

static void begin_section(struct page *p, const struct page_section *s)
{
	page_printf(p, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", s->id,
		s->id, s->heading);
	if (s->introduction)
		page_printf(p, "<p>%s</p>\n", s->introduction);
}

static void put_all(struct page *p, const struct report *r, enum finding_kind kind)
{
	for (size_t i = 0; i < r->n_findings; i++)
		if (r->findings[i].kind == kind)
			put_finding(p, &r->findings[i]);
}

void page_findings(struct page *p, const struct report *r, enum finding_kind kind,
	const struct page_section *s)
{
	bool checks = kind <= FINDING_FAULT;
	size_t n = checks ? report_count(r, FINDING_GOOD) + report_count(r, FINDING_FAULT)
			  : report_count(r, kind);
	begin_section(p, s);
	if (n == 0) {
		page_printf(p, "<p>%s</p>\n</section>\n", s->none);
		return;
	}
	page_printf(p,
		"<table>\n<thead><tr>%s<th scope=\"col\">Check</th><th scope=\"col\">"
		"Of</th><th scope=\"col\">What is known</th></tr></thead>\n<tbody>\n",
		checks ? "<th scope=\"col\">Verdict</th>" : "");
	if (checks) {
		put_all(p, r, FINDING_FAULT);
		put_all(p, r, FINDING_GOOD);
	} else {
		put_all(p, r, kind);
	}
	page_put(p, "</tbody>\n</table>\n</section>\n");
}

void page_damage(struct page *p, const struct report *r)
{
	static const struct page_section section = {
		"damage", "Damaged blocks, and what they are for", NULL, NULL};
	bool any = false;
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		if (!f->where)
			continue;
		if (!any) {
			begin_section(p, &section);
			page_put(p, "<table>\n<thead><tr><th scope=\"col\">Place</th>"
				    "<th scope=\"col\">What it is for</th></tr></thead>\n"
				    "<tbody>\n");
		}
		any = true;
		page_put(p, "<tr>");
		put_place(p, f);
		page_put(p, "<td>");
		page_string(p, f->text);
		page_put(p, "</td></tr>\n");
	}
	if (any)
		page_put(p, "</tbody>\n</table>\n</section>\n");
}
