/* SPDX-License-Identifier: MIT */
#include "verifier/event_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/hex.h"
#include "core/utf8.h"
#include "verifier/examination.h"

#define HEX_SIZE 64

void event_log_free(struct event_log *log)
{
	buffer_free(&log->text);
	*log = (struct event_log){0};
}

/* ---- writing --------------------------------------------------------------------- */

/* The size of the character at the beginning of TEXT, if a line may hold it; else 0. */
static size_t character(struct span text)
{
	size_t n = utf8_length(text);
	const uint8_t *c = text.data;
	bool control = (n == 1 && (*c < 0x20 || *c == 0x7f)) ||
		       (n == 2 && c[0] == 0xc2 && c[1] < 0xa0);
	return control ? 0 : n;
}

static int put_text(struct buffer *line, struct span text)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < text.size;) {
		size_t n = character(span_of(text.data + i, text.size - i));
		r = n ? buffer_append(line, text.data + i, n)
		      : buffer_printf(line, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
	return r;
}

static int append(struct event_log *log, const char *word, const char *text)
{
	char time[EXAMINATION_TIME], hex[HEX_SIZE + 1];
	struct timespec now;
	BUFFER line = {0};
	clock_gettime(CLOCK_REALTIME, &now);
	int r = buffer_printf(&line, "%ju %s %s %s ", (uintmax_t)log->head.n_lines + 1,
		examination_time(now, time),
		hex_encode(log->head.sha256, sizeof log->head.sha256, hex), word);
	if (r == 0)
		r = put_text(&line, span_of(text, strlen(text)));
	if (r == 0)
		r = buffer_printf(&line, "\n");
	const struct span whole = buffer_span(&line);
	if (r == 0)
		r = hash_parts(HASH_SHA256, &whole, 1, log->head.sha256);
	if (r == 0)
		r = buffer_append(&log->text, line.data, line.size);
	/* A line that is cut off would only hide those behind it. */
	if (r == 0 && log->copy &&
		write(log->copy, line.data, line.size) != (ssize_t)line.size)
		log->copy = 0;
	log->head.n_lines++;
	return r;
}

void event_log_add(struct event_log *log, const char *word, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0 || append(log, word, text) < 0)
		log->incomplete = true;
	if (r >= 0)
		free(text);
}

/* ---- checking -------------------------------------------------------------------- */

struct line {
	struct span whole, time, word; /* `whole` with its new line */
	uint64_t number;
	uint8_t previous[32];
};

/* Takes the next word of REST and the space behind it. False if there is none. */
static bool take_word(struct span *rest, struct span *word)
{
	const uint8_t *space = rest->size ? memchr(rest->data, ' ', rest->size) : NULL;
	if (!space || space == rest->data)
		return false;
	size_t n = (size_t)(space - rest->data);
	*word = span_of(rest->data, n);
	*rest = span_of(space + 1, rest->size - n - 1);
	return true;
}

static bool is_number(struct span s, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9' || (i == 0 && s.data[i] == '0') ||
			u64_mul(*number, 10, number) ||
			u64_add(*number, (uint64_t)(s.data[i] - '0'), number))
			return false;
	}
	return s.size > 0;
}

/* "2026-11-22T18:53:52.123456789Z": of one length, so that order is that of bytes. */
static bool is_time(struct span s)
{
	static const char shape[] = "0000-00-00T00:00:00.000000000Z";
	if (s.size != sizeof shape - 1)
		return false;
	for (size_t i = 0; i < s.size; i++) {
		bool digit = s.data[i] >= '0' && s.data[i] <= '9';
		if (shape[i] == '0' ? !digit : s.data[i] != (uint8_t)shape[i])
			return false;
	}
	return true;
}

static bool is_hash(struct span s, uint8_t hash[32])
{
	char hex[HEX_SIZE + 1] = "";
	if (s.size != HEX_SIZE)
		return false;
	memcpy(hex, s.data, HEX_SIZE);
	return !memchr(hex, 0, HEX_SIZE) && hex_decode(hex, hash, 32) == 0;
}

static bool is_text(struct span s)
{
	while (s.size) {
		size_t n = character(s);
		if (n == 0)
			return false;
		s = span_of(s.data + n, s.size - n);
	}
	return true;
}

static bool parse(struct span whole, struct line *line)
{
	struct span rest = span_of(whole.data, whole.size - 1), number, hash;
	*line = (struct line){.whole = whole};
	if (!take_word(&rest, &number) || !take_word(&rest, &line->time) ||
		!take_word(&rest, &hash) || !take_word(&rest, &line->word))
		return false;
	for (size_t i = 0; i < line->word.size; i++)
		if (line->word.data[i] < 'a' || line->word.data[i] > 'z')
			return false;
	return is_number(number, &line->number) && is_time(line->time) &&
	       is_hash(hash, line->previous) && is_text(rest);
}

/* What has been read so far. */
struct reading {
	const char *name;
	struct event_log_head head;
	struct span time; /* of the last line */
	bool ended;
	uint64_t set_back;
};

static int take_line(struct reading *r, struct span whole)
{
	struct line line;
	uintmax_t number = r->head.n_lines + 1;
	if (!parse(whole, &line))
		return error_format("%s: line %ju: malformed", r->name, number);
	if (line.number != number)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: line %ju has the number %ju: lines are missing before it, "
			"or too many",
			r->name, number, (uintmax_t)line.number);
	if (memcmp(line.previous, r->head.sha256, sizeof line.previous) != 0)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: line %ju is not the one that line %ju was chained to",
			r->name, number - 1, number);
	if (r->set_back == 0 && r->time.size &&
		memcmp(line.time.data, r->time.data, line.time.size) < 0)
		r->set_back = number;
	r->time = line.time;
	r->ended = line.word.size == strlen(EVENT_LOG_END) &&
		   memcmp(line.word.data, EVENT_LOG_END, line.word.size) == 0;
	r->head.n_lines = number;
	return hash_parts(HASH_SHA256, &whole, 1, r->head.sha256);
}

static int check_end(const struct reading *r, const struct event_log_head *head)
{
	uintmax_t n = r->head.n_lines, wanted = head->n_lines;
	if (!r->ended || n < wanted)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: ends with line %ju of %ju: it was truncated", r->name, n,
			wanted);
	if (n > wanted)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: line %ju was added to the end", r->name, wanted + 1);
	if (memcmp(r->head.sha256, head->sha256, sizeof head->sha256) != 0)
		return error_set(STATUS_CONTENT, EBADMSG,
			"%s: line %ju, the last, is not the one it was", r->name, n);
	return 0;
}

int event_log_check(struct span lines, const char *name,
	const struct event_log_head *head, uint64_t *set_back)
{
	struct reading reading = {.name = name};
	int r = 0;
	while (r == 0 && lines.size) {
		const uint8_t *end = memchr(lines.data, '\n', lines.size);
		if (!end)
			return error_set(STATUS_CONTENT, EBADMSG,
				"%s: line %ju does not end: it was truncated", name,
				(uintmax_t)reading.head.n_lines + 1);
		size_t n = (size_t)(end - lines.data) + 1;
		r = take_line(&reading, span_of(lines.data, n));
		lines = span_of(lines.data + n, lines.size - n);
	}
	*set_back = reading.set_back;
	return r < 0 ? r : check_end(&reading, head);
}
