/* SPDX-License-Identifier: MIT */
#include "verifier/boot_policy.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

/* No initrd unpacks to more; what does is made to keep us busy. */
#define MAX_UNPACKED ((int64_t)2 << 30)

static int broken(struct archive *a, const char *name)
{
	const char *why = archive_error_string(a);
	return error_format(
		"%s: malformed initrd: %s", name, why ? why : "unknown reason");
}

/* FORMAT: archive_read_support_format_cpio, or _raw for the bytes as unpacked. */
static struct archive *open_archive(int (*format)(struct archive *))
{
	struct archive *a = archive_read_new();
	if (!a || archive_read_support_filter_all(a) < ARCHIVE_WARN ||
		format(a) != ARCHIVE_OK) {
		archive_read_free(a);
		return NULL;
	}
	return a;
}

static bool is_policy(struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	while (path && (*path == '/' || !strncmp(path, "./", 2)))
		path += *path == '/' ? 1 : 2;
	return path && !strcmp(path, POLICY_FILE);
}

static int read_entry(struct archive *a, const char *name, struct buffer *text)
{
	if (text->size)
		return error_format("%s: initrd: /" POLICY_FILE " is there twice", name);
	int r = buffer_append_zeros(text, POLICY_MAX_SIZE + 1);
	if (r < 0)
		return r;
	la_ssize_t n = archive_read_data(a, text->data, text->size);
	if (n < 0)
		return broken(a, name);
	if (n == 0 || n > POLICY_MAX_SIZE)
		return error_format(
			"%s: initrd: /" POLICY_FILE " is empty or too large", name);
	text->size = (size_t)n;
	return 0;
}

/* Appends the policy's text; leaves TEXT empty if there is none. */
static int find_policy(struct archive *a, const char *name, struct buffer *text)
{
	struct archive_entry *entry;
	for (int e; (e = archive_read_next_header(a, &entry)) != ARCHIVE_EOF;) {
		if (e != ARCHIVE_OK && e != ARCHIVE_WARN)
			return broken(a, name);
		if (archive_filter_bytes(a, 0) > MAX_UNPACKED)
			return error_format("%s: the initrd unpacks to too much", name);
		int r = is_policy(entry) ? read_entry(a, name, text) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_zero_from(const uint8_t *bytes, size_t size, size_t from)
{
	for (; from < size; from++)
		if (bytes[from])
			return false;
	return true;
}

/* Unpacks all of A. Returns 1 if there is more than zeros from byte END on. */
static int find_more(struct archive *a, const char *name, int64_t end)
{
	struct archive_entry *entry;
	uint8_t piece[16384];
	int64_t at = 0;
	la_ssize_t n = archive_read_next_header(a, &entry) == ARCHIVE_OK ? 1 : -1;
	while (n > 0) {
		n = archive_read_data(a, piece, sizeof piece);
		size_t skip = at >= end ? 0 : (size_t)(end - at);
		if (n > 0 && !is_zero_from(piece, (size_t)n, skip))
			return 1;
		at += n > 0 ? n : 0;
		if (at > MAX_UNPACKED)
			return error_format("%s: the initrd unpacks to too much", name);
	}
	return n < 0 ? broken(a, name) : 0;
}

/*
 * libarchive stops behind the first archive, at byte END as unpacked. The kernel goes on,
 * and what it finds there replaces what it has.
 */
static int check_end(struct span initrd, const char *name, int64_t end)
{
	struct archive *a = open_archive(archive_read_support_format_raw);
	if (!a)
		return error_memory();
	int r = archive_read_open_memory(a, initrd.data, initrd.size) != ARCHIVE_OK
			? broken(a, name)
			: find_more(a, name, end);
	int64_t used = archive_filter_bytes(a, -1);
	if (r == 0 && (used < 0 || !is_zero_from(initrd.data, initrd.size, (size_t)used)))
		r = 1;
	archive_read_free(a);
	return r <= 0 ? r
		      : error_format("%s: initrd: more follows the archive with "
				     "/" POLICY_FILE ", and could replace it",
				name);
}

int boot_policy_read(struct policy *policy, struct span initrd, const char *name)
{
	BUFFER text = {0};
	struct archive *a = open_archive(archive_read_support_format_cpio);
	if (!a)
		return error_memory();
	int r = archive_read_open_memory(a, initrd.data, initrd.size) != ARCHIVE_OK
			? broken(a, name)
			: find_policy(a, name, &text);
	int64_t end = archive_filter_bytes(a, 0);
	archive_read_free(a);
	if (r < 0)
		return r;
	if (text.size == 0)
		return 1;
	if ((r = check_end(initrd, name, end)) < 0)
		return r;
	r = policy_parse(policy, buffer_span(&text));
	return r < 0 ? error_context(r, "%s: initrd: /" POLICY_FILE, name) : 0;
}
