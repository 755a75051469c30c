/* SPDX-License-Identifier: MIT */
#include "verifier/page_layout.h"

#include <string.h>

#include "core/utf8.h"

/* In units of the picture. */
#define BAR_TOP    24
#define BAR_HEIGHT 56
#define HEIGHT     116
#define LABEL_TOP  (HEIGHT - 6)
#define LABEL_STEP 22  /* numbers below the bar need so much room */
#define LETTER     6.6 /* about the width of one */
#define NARROW     3   /* too narrow for a frame: it would be all there is to see */
#define MARKS_MAX  500 /* places that are marked; the table has all */
#define DRAWN_MAX  256 /* partitions that are drawn; the table has all */

static const struct {
	const char *class, *word, *sign;
} verdicts[] = {[LAYOUT_SHOWN] = {"shown", "examined, unchanged", "&#x2713;"},
	[LAYOUT_SKIPPED] = {"skipped", "not examined", "&#x2013;"},
	[LAYOUT_CHANGED] = {"changed", "something is wrong", "&#x2717;"}};

static double scale(const struct layout *l, uint64_t bytes)
{
	return (double)bytes / (double)l->size * LAYOUT_WIDTH;
}

/* The first LETTERS characters of TEXT, with an ellipsis if there are more. */
static void put_short(struct page *p, const char *text, size_t letters)
{
	size_t size = strlen(text), at = 0;
	for (size_t n = 0; at < size && n < letters; n++) {
		size_t c = utf8_length(span_of(text + at, size - at));
		at += c ? c : 1;
	}
	BUFFER cut = {0};
	if (p->error == 0)
		p->error = buffer_append(&cut, text, at);
	page_plain(p, buffer_text(&cut));
	page_put(p, at < size ? "&#x2026;" : "");
}

static void put_rect(struct page *p, const struct layout *l, const char *class,
	uint64_t offset, uint64_t size)
{
	page_printf(p,
		"<rect class=\"%s\" x=\"%.3f\" y=\"%d\" width=\"%.3f\" height=\"%d\"",
		class, scale(l, offset), BAR_TOP, scale(l, size), BAR_HEIGHT);
}

/* What a pointer that rests there, and a screen reader, is told. */
static void put_title(struct page *p, const struct layout_part *part)
{
	char size[PAGE_SIZE_TEXT];
	if (part->number)
		page_printf(p, "<title>Partition %u: ", part->number);
	else
		page_put(p, "<title>All of it: ");
	if (part->name[0]) {
		page_plain(p, part->name);
		page_put(p, ", ");
	}
	page_plain(p, part->type);
	page_printf(p, ", %s from offset %ju: %s</title>", page_size(part->size, size),
		(uintmax_t)part->offset, verdicts[part->verdict].word);
}

/* A label that is cut off where the part ends: as many lines as there is room for. */
static void put_label(
	struct page *p, const struct layout *l, const struct layout_part *part)
{
	char size[PAGE_SIZE_TEXT];
	double width = scale(l, part->size);
	size_t letters = (size_t)(width / LETTER);
	if (width < 5 * LETTER)
		return;
	const char *const lines[] = {part->name[0] ? part->name : part->type,
		page_size(part->size, size), verdicts[part->verdict].word};
	page_printf(p, "<svg x=\"%.3f\" y=\"%d\" width=\"%.3f\" height=\"%d\">",
		scale(l, part->offset), BAR_TOP, width, BAR_HEIGHT);
	for (int i = 0; i < 3; i++) {
		page_printf(p, "<text x=\"4\" y=\"%d\">", 16 + 16 * i);
		put_short(p, lines[i], letters - 1);
		page_put(p, "</text>");
	}
	page_put(p, "</svg>\n");
}

/* Its number below, moved aside if that of the part before stands there. */
static void put_number(struct page *p, const struct layout *l,
	const struct layout_part *part, double *end)
{
	double middle = scale(l, part->offset) + scale(l, part->size) / 2;
	double at = middle < *end + LABEL_STEP / 2.0 ? *end + LABEL_STEP / 2.0 : middle;
	if (!part->number || at > LAYOUT_WIDTH - 8)
		return;
	*end = at + LABEL_STEP / 2.0;
	page_printf(p,
		"<path class=\"leader\" d=\"M%.3f %dV%dL%.3f %d\"/>"
		"<text x=\"%.3f\" y=\"%d\" text-anchor=\"middle\">%u</text>\n",
		middle, BAR_TOP + BAR_HEIGHT, BAR_TOP + BAR_HEIGHT + 5, at,
		LABEL_TOP - 12, at, LABEL_TOP, part->number);
}

static void put_part(
	struct page *p, const struct layout *l, const struct layout_part *part)
{
	char class[32];
	snprintf(class, sizeof class, "%s%s",
		scale(l, part->size) < NARROW ? "" : "part ",
		verdicts[part->verdict].class);
	page_put(p, "<g>");
	put_rect(p, l, class, part->offset, part->size);
	page_printf(p, " data-partition=\"%u\">", part->number);
	put_title(p, part);
	page_put(p, "</rect></g>\n");
	put_label(p, l, part);
}

static void put_gap(struct page *p, const struct layout *l, uint64_t from, uint64_t to)
{
	char size[PAGE_SIZE_TEXT];
	if (from >= to)
		return;
	put_rect(p, l, "gap", from, to - from);
	page_printf(p, "><title>In no partition: %s from offset %ju</title></rect>\n",
		page_size(to - from, size), (uintmax_t)from);
}

/* Faults with a place: at least as wide as can be seen. */
static void put_marks(struct page *p, const struct layout *l)
{
	unsigned n = 0;
	for (size_t i = 0; l->report && i < l->report->n_findings && n < MARKS_MAX; i++) {
		const struct finding *f = &l->report->findings[i];
		if (f->kind != FINDING_FAULT || f->place.size == 0 ||
			f->place.offset >= l->size)
			continue;
		double at = scale(l, f->place.offset), width = scale(l, f->place.size);
		n++;
		page_printf(p,
			"<rect class=\"spot\" x=\"%.3f\" y=\"%d\" width=\"%.3f\" "
			"height=\"8\"><title>Wrong at offset %ju: ",
			at > LAYOUT_WIDTH - 2 ? LAYOUT_WIDTH - 2 : at, BAR_TOP - 10,
			width < 2 ? 2 : width, (uintmax_t)f->place.offset);
		page_plain(p, f->text);
		page_put(p, "</title></rect>\n");
	}
}

static void put_picture(struct page *p, const struct layout *l)
{
	char size[PAGE_SIZE_TEXT];
	uint64_t end = 0;
	double label = 0;
	page_printf(p,
		"<figure>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d "
		"%d\" "
		"role=\"img\" aria-labelledby=\"layout-title\" id=\"layout\">\n"
		"<title id=\"layout-title\">The disk to scale, %s; the table below says "
		"the same</title>\n<text x=\"0\" y=\"12\">0</text>"
		"<text x=\"%d\" y=\"12\" text-anchor=\"end\">%s</text>\n",
		LAYOUT_WIDTH, HEIGHT, page_size(l->size, size), LAYOUT_WIDTH, size);
	for (size_t i = 0; i < l->n_parts; i++) {
		const struct layout_part *part = &l->parts[i];
		put_gap(p, l, end, part->offset);
		if (part->offset + part->size > end)
			end = part->offset + part->size;
		if (i < DRAWN_MAX)
			put_part(p, l, part);
	}
	put_gap(p, l, end, l->size);
	for (size_t i = 0; i < l->n_parts && i < DRAWN_MAX; i++)
		put_number(p, l, &l->parts[i], &label);
	put_marks(p, l);
	page_put(p,
		"</svg>\n<figcaption>To scale, from the first byte to the last; numbers "
		"are partitions, dashed is in none of them; marks above the bar are "
		"places where something is wrong.</figcaption>\n</figure>\n");
}

static void put_row(struct page *p, const struct layout_part *part)
{
	char size[PAGE_SIZE_TEXT];
	const char *class = part->verdict == LAYOUT_SHOWN     ? "good"
			    : part->verdict == LAYOUT_CHANGED ? "bad"
							      : "left";
	if (part->number)
		page_printf(p, "<tr><th scope=\"row\">%u</th><td>", part->number);
	else
		page_put(p, "<tr><th scope=\"row\">all</th><td>");
	page_string(p, part->name);
	page_put(p, "</td><td>");
	page_string(p, part->type);
	page_printf(p,
		"</td><td class=\"number\">%ju</td><td class=\"number\">%ju (%s)</td>"
		"<td class=\"word %s\">%s %s</td></tr>\n",
		(uintmax_t)part->offset, (uintmax_t)part->size,
		page_size(part->size, size), class, verdicts[part->verdict].sign,
		verdicts[part->verdict].word);
}

void page_layout(struct page *p, const struct layout *l)
{
	page_put(
		p, "<section aria-labelledby=\"disk\">\n<h2 id=\"disk\">The disk</h2>\n");
	put_picture(p, l);
	page_put(p,
		"<table>\n<thead><tr><th scope=\"col\">Partition</th><th scope=\"col\">"
		"Name</th><th scope=\"col\">What is in it</th><th scope=\"col\">Offset"
		"</th><th scope=\"col\">Bytes</th><th scope=\"col\">Verdict</th></tr>"
		"</thead>\n<tbody>\n");
	for (size_t i = 0; i < l->n_parts; i++)
		put_row(p, &l->parts[i]);
	page_put(p, "</tbody>\n</table>\n</section>\n");
}
