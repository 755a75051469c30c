/* SPDX-License-Identifier: MIT */
#include "core/xml.h"

#include <string.h>

#include "core/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

/*
 * The size of the character at the beginning of TEXT, if XML 1.0 has it (section 2.2); 0
 * if not. Line ends that a parser would change are not kept either, nor is U+FFFD: that
 * one says that something else was there.
 */
static size_t character(struct span text)
{
	size_t n = utf8_length(text);
	const uint8_t *c = text.data;
	if (n == 1 && ((*c < 0x20 && *c != '\t' && *c != '\n') || *c == 0x7f))
		return 0;
	if (n == 2 && c[0] == 0xc2 && c[1] < 0xa0)
		return 0;
	/* U+FFFD to U+FFFF */
	return n == 3 && c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbd ? 0 : n;
}

static int put(struct buffer *xml, const uint8_t *c, size_t n)
{
	const char *name = *c == '&'   ? "&amp;"
			   : *c == '<' ? "&lt;"
			   : *c == '>' ? "&gt;"
			   : *c == '"' ? "&quot;"
				       : NULL;
	return name ? buffer_append(xml, name, strlen(name)) : buffer_append(xml, c, n);
}

int xml_text(struct buffer *xml, struct span text)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < text.size;) {
		size_t n = character(span_of(text.data + i, text.size - i));
		r = n ? put(xml, text.data + i, n)
		      : buffer_append(xml, REPLACEMENT, strlen(REPLACEMENT));
		i += n ? n : 1;
	}
	return r;
}

int xml_string(struct buffer *xml, const char *text)
{
	return xml_text(xml, span_of(text, strlen(text)));
}

bool xml_can_hold(struct span text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.size; i += n) {
		n = character(span_of(text.data + i, text.size - i));
		if (n == 0)
			return false;
	}
	return true;
}

int xml_element(struct buffer *xml, const char *name, const char *text)
{
	int r = buffer_printf(xml, "<%s>", name);
	if (r == 0)
		r = xml_string(xml, text);
	return r < 0 ? r : buffer_printf(xml, "</%s>\n", name);
}
