/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_XML_H
#define CAIRN_CORE_XML_H

#include <stdbool.h>

#include "core/buffer.h"

/* Text for XML 1.0 and for HTML: nothing in it can end an element or an attribute. */

/*
 * Appends TEXT for an element or an attribute in double quotes. What is not UTF-8, and
 * what XML 1.0 has no characters for (most of the controls), becomes U+FFFD.
 */
int xml_text(struct buffer *xml, struct span text);
int xml_string(struct buffer *xml, const char *text);

/* Whether xml_text keeps all of TEXT as it is. */
bool xml_can_hold(struct span text);

/* <NAME>TEXT</NAME> and a new line. */
int xml_element(struct buffer *xml, const char *name, const char *text);

#endif
