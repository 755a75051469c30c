/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "verifier/examination.h"
#include "verifier/page_layout.h"

static void put_verdict(struct page *p, const struct examination *e)
{
	const struct report *r = &e->report;
	const char *class = r->status == STATUS_GOOD ? "good" : "bad";
	page_printf(p, "<p class=\"verdict %s\">", class);
	if (r->status == STATUS_GOOD)
		page_put(p,
			"&#x2713; Nothing changed: neither a byte nor a time stamp of "
			"the evidence. ");
	else if (r->status == STATUS_CHANGED)
		page_put(
			p, "&#x2717; The evidence changed, or was not shown unchanged. ");
	else if (r->status == STATUS_CONTENT)
		page_put(p, "&#x2717; The evidence was not seen to change, but it is "
			    "damaged: its content is not what its own hashes say. ");
	else
		page_put(p, "&#x2717; The examination is not complete. ");
	page_printf(p,
		"%zu checks passed, %zu failed; %zu things were not checked (status "
		"%d).</p>\n",
		report_count(r, FINDING_GOOD), r->n_faults,
		report_count(r, FINDING_UNCOVERED), (int)r->status);
}

static void put_words(
	struct page *p, const char *heading, const char *first, const char *const *argv)
{
	page_printf(p, "<tr><th scope=\"row\">%s</th><td><code>", heading);
	page_string(p, first);
	for (size_t i = 0; argv && argv[i]; i++) {
		page_put(p, i || *first ? " " : "");
		page_string(p, argv[i]);
	}
	page_put(p, "</code></td></tr>\n");
}

static void put_given(struct page *p, const char *heading, const char *text)
{
	if (text)
		page_row(p, heading, text);
}

static void put_time(struct page *p, const char *heading, struct timespec t)
{
	char text[EXAMINATION_TIME];
	page_row(p, heading, examination_time(t, text));
}

static void put_custody(struct page *p, const struct examination *e)
{
	const struct custody *c = &e->custody;
	page_put(p, "<section aria-labelledby=\"custody\">\n<h2 id=\"custody\">Who, when "
		    "and with what</h2>\n<table>\n<tbody>\n");
	put_given(p, "Case", c->case_number);
	put_given(p, "Evidence", c->evidence);
	put_given(p, "Examiner", c->examiner);
	put_given(p, "Notes", c->notes);
	put_time(p, "Start (UTC)", e->start);
	put_time(p, "End (UTC)", e->end);
	page_row(p, "Tool", "cairn " CAIRN_VERSION);
	put_words(p, "Called as", "cairn", e->invocation);
	page_put(p, "<tr><th scope=\"row\">System</th><td>");
	page_string(p, e->kernel.sysname);
	page_put(p, " ");
	page_string(p, e->kernel.release);
	page_put(p, " ");
	page_string(p, e->kernel.machine);
	page_put(p, ", host ");
	page_string(p, e->kernel.nodename);
	page_printf(p, ", user %u</td></tr>\n</tbody>\n</table>\n</section>\n", e->uid);
}

/* ---- the evidence ----------------------------------------------------------------- */

static void put_digest(struct page *p, const char *name, const uint8_t *before,
	const uint8_t *after, size_t size)
{
	char hex[2 * 32 + 1];
	page_printf(p, "<tr><th scope=\"row\">%s</th><td class=\"hash\">%s</td>", name,
		before ? hex_encode(before, size, hex) : "not computed");
	page_printf(p, "<td class=\"hash\">%s</td>",
		after ? hex_encode(after, size, hex) : "not computed");
	if (!before || !after)
		page_put(p, "<td class=\"word left\">&#x2013; not known</td></tr>\n");
	else if (memcmp(before, after, size) == 0)
		page_put(p, "<td class=\"word good\">&#x2713; same</td></tr>\n");
	else
		page_put(p, "<td class=\"word bad\">&#x2717; another</td></tr>\n");
}

static void put_pair(
	struct page *p, const char *name, const char *before, const char *after)
{
	bool same = strcmp(before, after) == 0;
	page_printf(p, "<tr><th scope=\"row\">%s</th><td>", name);
	page_string(p, before);
	page_put(p, "</td><td>");
	page_string(p, after);
	page_printf(p, "</td><td class=\"word %s\">%s</td></tr>\n", same ? "good" : "bad",
		same ? "&#x2713; same" : "&#x2717; another");
}

static void put_times(struct page *p, const struct examined_file *f)
{
	const struct {
		const char *name;
		struct timespec before, after;
	} times[] = {{"Modified", f->before.mtime, f->after.mtime},
		{"Changed", f->before.ctime, f->after.ctime},
		{"Accessed", f->before.atime, f->after.atime}};
	char before[EXAMINATION_TIME], after[EXAMINATION_TIME];
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		put_pair(p, times[i].name, examination_time(times[i].before, before),
			examination_time(times[i].after, after));
}

static void put_sizes(struct page *p, const struct examined_file *f)
{
	char before[PAGE_SIZE_TEXT], after[PAGE_SIZE_TEXT];
	snprintf(before, sizeof before, "%ju", (uintmax_t)f->before.size);
	snprintf(after, sizeof after, "%ju", (uintmax_t)f->after.size);
	put_pair(p, "Bytes", before, after);
}

static void put_file(struct page *p, const struct examined_file *f)
{
	const struct file_digests *a = f->first.done ? &f->first : NULL;
	const struct file_digests *b = f->last.done ? &f->last : NULL;
	page_put(p, "<table>\n<caption>");
	page_string(p, f->role);
	page_put(p, " <bdi><code>");
	page_string(p, f->path);
	page_printf(p, "</code></bdi>, inode %ju, on %s", (uintmax_t)f->before.inode,
		f->backing_type && f->backing_type[0] ? f->backing_type : "?");
	if (f->loop[0])
		page_printf(p, "; shown: %ju bytes from offset %ju, by %s, %s",
			(uintmax_t)f->size, (uintmax_t)f->offset, view_name(f->view),
			f->loop);
	page_put(p,
		"</caption>\n<thead><tr><td></td><th scope=\"col\">Before</th><th "
		"scope=\"col\">After</th><th scope=\"col\">Verdict</th></tr></thead>\n"
		"<tbody>\n");
	put_digest(p, "SHA-256", a ? a->sha256 : NULL, b ? b->sha256 : NULL, 32);
	if ((a && a->interop) || (b && b->interop)) {
		put_digest(p, "SHA-1", a && a->interop ? a->sha1 : NULL,
			b && b->interop ? b->sha1 : NULL, 20);
		put_digest(p, "MD5", a && a->interop ? a->md5 : NULL,
			b && b->interop ? b->md5 : NULL, 16);
	}
	if (f->after.inode)
		put_sizes(p, f);
	/* What a container holds has no times: its segments have. */
	if (f->after.inode && f->before.ctime.tv_sec != 0)
		put_times(p, f);
	page_put(p, "</tbody>\n</table>\n");
}

static void put_evidence(struct page *p, const struct examination *e)
{
	page_put(p, "<section aria-labelledby=\"evidence\">\n<h2 id=\"evidence\">The "
		    "evidence, before and after</h2>\n");
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		if (e->files[i].path && e->files[i].before.inode)
			put_file(p, &e->files[i]);
	for (size_t i = 0; i < e->n_segments; i++)
		if (e->segments[i].path)
			put_file(p, &e->segments[i]);
	page_put(p, "</section>\n");
}

static void put_mount(struct page *p, const struct examination *e)
{
	page_put(p, "<section aria-labelledby=\"mount\">\n<h2 id=\"mount\">What was "
		    "done with it</h2>\n<table>\n<tbody>\n");
	if (e->acquisition.format[0])
		page_row(p, "Container", e->acquisition.format);
	page_row(p, "File system", e->file_system[0] ? e->file_system : "not known");
	page_row(p, "Mounted with", e->mount_options ? e->mount_options : "not mounted");
	put_given(p, "Copy replayed with", e->replay_options);
	put_words(p, "Command", "", e->argv);
	page_put(p, "<tr><th scope=\"row\">Its status</th><td>");
	if (e->ran)
		page_printf(p, "%d", e->command_status);
	else
		page_put(p, "it was not run to its end");
	page_put(p, "</td></tr>\n</tbody>\n</table>\n</section>\n");
}

/* ---- the disk --------------------------------------------------------------------- */

static bool is_wrong(const struct examination *e, const struct examined_area *a)
{
	for (size_t i = 0; i < e->report.n_findings; i++) {
		const struct finding *f = &e->report.findings[i];
		uint64_t from = f->place.offset, end = from + f->place.size;
		if (f->kind == FINDING_FAULT && f->place.size &&
			from < a->offset + a->size && end > a->offset)
			return true;
	}
	return false;
}

static void put_disk(struct page *p, const struct examination *e)
{
	struct layout l = {.size = e->files[0].before.size, .report = &e->report};
	struct layout_part *parts = calloc(e->n_areas + 1, sizeof *parts);
	if (!parts) {
		p->error = p->error ? p->error : error_memory();
		return;
	}
	for (size_t i = 0; i < e->n_areas; i++) {
		const struct examined_area *a = &e->areas[i];
		/* A disk that changed as a whole leaves none of it in peace. */
		bool wrong = is_wrong(e, a) ||
			     (area_was_shown(e, a) && e->report.status == STATUS_CHANGED);
		parts[i] = (struct layout_part){.number = a->number,
			.offset = a->offset,
			.size = a->size,
			.name = a->name,
			.type = area_describe(a->type),
			.verdict = wrong                  ? LAYOUT_CHANGED
				   : area_was_shown(e, a) ? LAYOUT_SHOWN
							  : LAYOUT_SKIPPED};
	}
	l.parts = parts;
	l.n_parts = e->n_areas;
	if (l.size)
		page_layout(p, &l);
	free(parts);
}

static void put_log(struct page *p, const struct examination *e)
{
	char hex[2 * 32 + 1];
	page_printf(p,
		"<section aria-labelledby=\"log\">\n<h2 id=\"log\">The log</h2>\n<p>"
		"<code>report.log</code> has %ju lines, each chained to the one before. "
		"The "
		"SHA-256 of the last line: <span class=\"hash\">%s</span>. <code>cairn "
		"verify</code> with this directory checks it all.</p>\n</section>\n",
		(uintmax_t)e->log.head.n_lines,
		hex_encode(e->log.head.sha256, sizeof e->log.head.sha256, hex));
}

int examination_page(const struct examination *e, struct buffer *html)
{
	static const struct page_section checks = {
		"checks", "What was checked", NULL, "Nothing could be checked."};
	static const struct page_section notes = {
		"notes", "What was seen besides", NULL, "Nothing worth a note."};
	static const struct page_section uncovered = {"uncovered",
		"What was not checked, and why",
		"A report that is silent about its limits claims too much.",
		"Nothing was left out."};
	struct page p = {.to = html};
	page_begin(&p, "Examination of", e->files[0].path ? e->files[0].path : "nothing");
	put_verdict(&p, e);
	put_custody(&p, e);
	put_disk(&p, e);
	put_evidence(&p, e);
	page_damage(&p, &e->report);
	page_findings(&p, &e->report, FINDING_FAULT, &checks);
	page_findings(&p, &e->report, FINDING_NOTE, &notes);
	page_findings(&p, &e->report, FINDING_UNCOVERED, &uncovered);
	put_mount(&p, e);
	put_log(&p, e);
	page_end(&p);
	return p.error;
}
