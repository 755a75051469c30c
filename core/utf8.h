/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_UTF8_H
#define CAIRN_CORE_UTF8_H

#include "core/span.h"

/*
 * The size of the character at the beginning of S, which must not be empty; 0 if there is
 * none in UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
 */
size_t utf8_length(struct span s);

#endif
