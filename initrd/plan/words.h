/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_INITRD_PLAN_WORDS_H
#define CAIRN_INITRD_PLAN_WORDS_H

#include <stdbool.h>

#include "core/error.h"
#include "core/span.h"

/*
 * The words of a kernel command line. Linux allows 2048 bytes on x86 and arm64; anything
 * beyond our limits is refused. A zeroed struct has no words.
 */
#define WORDS_MAX  256
#define WORDS_SIZE 4096

struct words {
	size_t n;
	size_t used;            /* bytes of TEXT */
	uint16_t at[WORDS_MAX]; /* where each word starts in TEXT */
	char text[WORDS_SIZE];  /* the words, a NUL behind each */
};

/* Word I, which must be below W->n. Valid while W lives. */
const char *words_get(const struct words *w, size_t i);

/* Adds one word, taken as it is. STATUS_FORMAT if there is no room. */
int words_add(struct words *w, struct span word);

/*
 * Adds the words of LINE as the kernel divides it: at white space outside of double
 * quotes. The quotes themselves are dropped wherever they stand, so that no spelling of a
 * word hides it. A quote that is not closed, or a byte that is not printable ASCII, is
 * STATUS_FORMAT. LINE may end with a newline.
 */
int words_parse(struct words *w, struct span line);

/* How many words equal WORD. */
size_t words_count(const struct words *w, const char *word);

/*
 * What follows "NAME=" in WORD, "" if WORD is just NAME, or NULL if WORD is another. As
 * in the kernel, '-' and '_' are the same letter in a name.
 */
const char *word_value(const char *word, const char *name);

/* True if the name of WORD (up to its '=') starts with PREFIX, '-' being '_'. */
bool word_starts(const char *word, const char *prefix);

#endif
