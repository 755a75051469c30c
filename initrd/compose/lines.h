/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_LINES_H
#define CAIRN_COMPOSE_LINES_H

#include <stdbool.h>

#include "core/span.h"

/* Text files of lines, as the trust of a base is written in. Nothing here records. */

/*
 * Cuts the next line off TEXT into LINE, without its newline, passing over empty ones and
 * those that start with #. NUMBER counts all lines. False at the end.
 */
bool lines_next(struct span *text, struct span *line, unsigned *number);

/*
 * Cuts the next word off LINE: what comes before the next space, which goes too. False if
 * there is none, also between two spaces.
 */
bool lines_word(struct span *line, struct span *word);

bool lines_equal(struct span s, const char *text);

/* Whether S is lower-case hex of exactly N_BYTES; with 0 of any whole number above 0. */
bool lines_hex(struct span s, size_t n_bytes);

/* S as a decimal number up to MAX, without sign and leading zeros. */
bool lines_number(struct span s, unsigned max, unsigned *number);

/* If S starts with KEY and '=': what follows. */
bool lines_value(struct span s, const char *key, struct span *value);

#endif
