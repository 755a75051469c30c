/* SPDX-License-Identifier: MIT */
/*
 * What is ours of an image in a container. The first byte says which part: names of
 * segments in a directory; the sizes of split segments, which must read as one; what the
 * process that parses says, which may be the container's by then: whatever it is, the
 * reports that it goes into are whole.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utf8.h"
#include "verifier/dfxml.h"
#include "verifier/examine/container.h"
#include "verifier/examine/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- names ------------------------------------------------------------------------- */

#define NAMES_MAX 12
#define NAME_SIZE 64

static char directory[] = "/tmp/cairn-fuzz.XXXXXX";

static void remove_directory(void)
{
	if (rmdir(directory) < 0)
		abort();
}

static void make_directory(void)
{
	if (strstr(directory, "XXXXXX") &&
		(!mkdtemp(directory) || atexit(remove_directory)))
		abort();
}

static void save(const char *name, struct span bytes)
{
	FILE *f = fopen(name, "we");
	if (f && fwrite(bytes.data, 1, bytes.size, f) != bytes.size)
		abort();
	if (f)
		fclose(f);
}

static void check_names(const char *first)
{
	AUTO_SEGMENTS s = {0};
	enum container_kind kind = CONTAINER_NONE;
	struct stat st;
	if (container_find(first, &kind, &s) < 0) {
		if (strchr(error_text(), '\n') || !*error_text())
			abort();
		return;
	}
	if (s.n_paths < 1 || strcmp(s.paths[0], first) != 0 ||
		(s.n_paths > 1) > (kind != CONTAINER_NONE))
		abort();
	for (size_t i = 1; i < s.n_paths; i++)
		if (stat(s.paths[i], &st) < 0 || !strcmp(s.paths[i], s.paths[i - 1]))
			abort();
}

/* A length and the start of the first file, then lines: the names, the first one's first.
 */
static void find_segments(struct span in)
{
	char names[NAMES_MAX][sizeof directory + NAME_SIZE];
	size_t n = 0, start = in.size ? in.data[0] % 16u : 0;
	struct span bytes = {0};
	if (in.size < 1 + start)
		return;
	bytes = span_of(in.data + 1, start);
	in = span_of(in.data + 1 + start, in.size - 1 - start);
	make_directory();
	while (in.size && n < NAMES_MAX) {
		const uint8_t *end = memchr(in.data, '\n', in.size);
		size_t size = end ? (size_t)(end - in.data) : in.size;
		if (size == 0 || size >= NAME_SIZE || *in.data == '.' ||
			memchr(in.data, '/', size) || memchr(in.data, 0, size))
			break;
		snprintf(names[n], sizeof names[n], "%s/%.*s", directory, (int)size,
			(const char *)in.data);
		save(names[n], n ? SPAN("") : bytes);
		n++;
		size += end != NULL;
		in = span_of(in.data + size, in.size - size);
	}
	if (n)
		check_names(names[0]);
	for (size_t i = 0; i < n; i++)
		unlink(names[i]);
}

/* ---- split images ------------------------------------------------------------------ */

#define FILES_MAX 6

static uint8_t expected(uint64_t at)
{
	return (uint8_t)(at % 251);
}

static void check_reading(const struct split *s, struct span in)
{
	static uint8_t reply[FILES_MAX * 256];
	for (; in.size >= 4; in = span_of(in.data + 4, in.size - 4)) {
		uint64_t offset = s->size ? get_le16(in.data) % s->size : 0;
		size_t size = get_le16(in.data + 2) % (size_t)(s->size - offset + 1);
		if (split_read(s, reply, size, offset) < 0)
			abort();
		for (size_t i = 0; i < size; i++)
			if (reply[i] != expected(offset + i))
				abort();
	}
}

/* The number of files, their sizes, and what is read of them. */
static void read_split(struct span in)
{
	struct file files[FILES_MAX];
	struct split s;
	uint64_t at = 0;
	bool whole = true;
	size_t n = in.size ? in.data[0] % FILES_MAX + 1 : 0, n_open = 0;
	if (in.size < 1 + n || n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[256], size = in.data[1 + i];
		for (size_t j = 0; j < size; j++)
			bytes[j] = expected(at + j);
		at += size;
		whole = whole && (i + 1 == n || size == in.data[1]);
		if (file_in_memory(&files[n_open++], "segment", span_of(bytes, size)) < 0)
			abort();
	}
	int r = split_open(&s, files, n);
	if ((r == 0) != whole || (r == 0 && s.size != at))
		abort();
	if (r == 0)
		check_reading(&s, span_of(in.data + 1 + n, in.size - 1 - n));
	split_close(&s);
	for (size_t i = 0; i < n_open; i++)
		file_close(&files[i]);
}

/* ---- what the process says --------------------------------------------------------- */

/* A length, and that many bytes: the beginning of TO. */
static void take(struct span *in, void *to, size_t size)
{
	size_t n = in->size >= 2 ? get_le16(in->data) : 0, head = in->size >= 2 ? 2 : 0;
	n = n > size ? size : n;
	n = n > in->size - head ? in->size - head : n;
	if (n)
		memcpy(to, in->data + head, n);
	*in = span_of(in->data + head + n, in->size - head - n);
}

/* For a terminal: no control characters but new lines. */
static void check_plain(const struct buffer *text)
{
	for (size_t i = 0; i < text->size; i++)
		if ((text->data[i] < 0x20 && text->data[i] != '\n') ||
			text->data[i] == 0x7f)
			abort();
}

/* For programs: UTF-8, and nothing that XML 1.0 and JSON have no place for. */
static void check_text(const struct buffer *text)
{
	struct span s = buffer_span(text);
	while (s.size) {
		size_t n = utf8_length(s);
		if (n == 0 || (*s.data < 0x20 && *s.data != '\n' && *s.data != '\t'))
			abort();
		s = span_of(s.data + n, s.size - n);
	}
}

static void report(const struct examination *e)
{
	BUFFER json = {0};
	BUFFER text = {0};
	BUFFER xml = {0};
	BUFFER page = {0};
	json_object *document = json_object_new_object(), *read = NULL;
	examination_json(e, document);
	if (json_save(document, &json) < 0 ||
		json_parse(buffer_span(&json), "report", json.size, &read) < 0 ||
		examination_text(e, &text) < 0 || dfxml_head(&xml, e) < 0 ||
		dfxml_tail(&xml, e) < 0 || examination_page(e, &page) < 0)
		abort();
	check_text(&json);
	check_plain(&text);
	check_text(&xml);
	check_text(&page);
	json_object_put(document);
	json_object_put(read);
}

static void hear(struct span in)
{
	static struct container_facts facts;
	static struct container_damage damage;
	AUTO_EXAMINATION e = {0};
	struct examined_file *media = &e.files[0];
	struct container c = {.kind = CONTAINER_EWF, .damage = &damage};
	memset(&facts, 0, sizeof facts);
	memset(&damage, 0, sizeof damage);
	struct acquisition *a = &facts.acquisition;
	take(&in, &facts.status, sizeof facts.status);
	take(&in, facts.text, sizeof facts.text);
	take(&in, a->format, sizeof a->format);
	take(&in, &a->media_size, sizeof a->media_size);
	for (size_t i = 0; i < ACQUISITION_FIELDS; i++)
		take(&in, a->fields[i], sizeof a->fields[i]);
	take(&in, &a->n_read_errors, sizeof a->n_read_errors);
	take(&in, &a->has_md5, sizeof a->has_md5);
	take(&in, &a->has_sha1, sizeof a->has_sha1);
	take(&in, (void *)&damage, sizeof damage);
	if (container_believe(&c, &facts) < 0)
		report_error(&e.report, "begin", &(struct place){.area = "image"}, "x");
	e.acquisition = *a;
	media->role = "image";
	media->backing_type = "an EWF container";
	media->path = strdup("image.E01");
	media->before.inode = 1;
	media->last.done = media->last.interop = true;
	container_compare(&c, media, &e);
	report(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct span) = {find_segments, read_split, hear};
	if (size)
		parts[data[0] % 3](span_of(data + 1, size - 1));
	return 0;
}
