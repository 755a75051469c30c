/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_VERIFIER_PAGE_H
#define CAIRN_VERIFIER_PAGE_H

#include "verifier/report.h"

/*
 * A page for people: one file, well-formed as XML and valid as HTML, that loads nothing
 * and runs nothing (its own policy forbids both). Names come from hostile images: they
 * are escaped, and what is no character, or turns the direction of writing, is shown as
 * what it is.
 *
 * The functions do not fail one by one; `error` holds the first failure.
 */
struct page {
	struct buffer *to;
	int error;
};

/* Markup of ours, as it is. */
void page_put(struct page *p, const char *markup);
void page_printf(struct page *p, const char *format, ...) ERROR_PRINTF(2, 3);

/* Text of anybody's, for an element (not for an attribute: it can become elements). */
void page_text(struct page *p, struct span text);
void page_string(struct page *p, const char *text);

/* Text of anybody's where there can be no elements: attributes and titles. */
void page_plain(struct page *p, const char *text);

/* <NAME>TEXT</NAME>, and a row of a table with a heading. */
void page_element(struct page *p, const char *name, const char *text);
void page_row(struct page *p, const char *heading, const char *text);

/* All up to the first heading, which is TITLE and, if it is not NULL, SUBJECT; its end.
 */
void page_begin(struct page *p, const char *title, const char *subject);
void page_end(struct page *p);

/* What KIND of findings R has, as a section with a table; what it says if there is none.
 */
struct page_section {
	const char *id, *heading, *introduction, *none;
};
void page_findings(struct page *p, const struct report *r, enum finding_kind kind,
	const struct page_section *section);

/* Faults that say which files the damaged blocks belong to; nothing if there is none. */
void page_damage(struct page *p, const struct report *r);

/* "8.0 MiB" */
#define PAGE_SIZE_TEXT 32
const char *page_size(uint64_t bytes, char text[PAGE_SIZE_TEXT]);

#endif
