/* SPDX-License-Identifier: MIT */
#include "initrd/plan/words.h"

#include <string.h>

const char *words_get(const struct words *w, size_t i)
{
	return w->text + w->at[i];
}

int words_add(struct words *w, struct span word)
{
	if (w->n == WORDS_MAX || word.size >= WORDS_SIZE - w->used)
		return error_format("command line: more than %d words or %d bytes",
			WORDS_MAX, WORDS_SIZE);
	w->at[w->n++] = (uint16_t)w->used;
	if (word.size)
		memcpy(w->text + w->used, word.data, word.size);
	w->used += word.size;
	w->text[w->used++] = 0;
	return 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Copies the word that starts at LINE.data[*AT] and moves *AT behind it. */
static int next_word(struct span line, size_t *at, struct words *w)
{
	uint8_t word[WORDS_SIZE];
	size_t size = 0;
	bool quoted = false;
	for (; *at < line.size; (*at)++) {
		uint8_t c = line.data[*at];
		if (!quoted && is_space(c))
			break;
		if (c < ' ' || c > '~')
			return error_format(
				"command line: byte %#04x at offset %zu", c, *at);
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (size == sizeof word)
			return error_format("command line: a word is too long");
		word[size++] = c;
	}
	if (quoted)
		return error_format("command line: a quote is not closed");
	return words_add(w, span_of(word, size));
}

int words_parse(struct words *w, struct span line)
{
	for (size_t at = 0; at < line.size;) {
		if (is_space(line.data[at])) {
			at++;
			continue;
		}
		int r = next_word(line, &at, w);
		if (r < 0)
			return r;
	}
	return 0;
}

size_t words_count(const struct words *w, const char *word)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++)
		n += !strcmp(words_get(w, i), word);
	return n;
}

static bool same_letter(char a, char b)
{
	return a == b || (a == '_' && b == '-') || (a == '-' && b == '_');
}

const char *word_value(const char *word, const char *name)
{
	for (; *name; word++, name++)
		if (!*word || !same_letter(*word, *name))
			return NULL;
	if (!*word)
		return word;
	return *word == '=' ? word + 1 : NULL;
}

bool word_starts(const char *word, const char *prefix)
{
	for (; *prefix; word++, prefix++)
		if (!*word || !same_letter(*word, *prefix))
			return false;
	return true;
}
