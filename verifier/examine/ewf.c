/* SPDX-License-Identifier: MIT */
#include "verifier/examine/ewf.h"

#include <errno.h>
#include <libewf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's own words about what went wrong, on one line. */
static int ewf_failed(libewf_error_t **error, const char *what)
{
	char text[512] = "";
	if (*error)
		libewf_error_sprint(*error, text, sizeof text);
	libewf_error_free(error);
	text[sizeof text - 1] = 0;
	text[strcspn(text, "\n")] = 0;
	return error_format("cannot %s the EWF container: %s", what, text);
}

static void read_fields(libewf_handle_t *h, struct acquisition *a)
{
	for (size_t i = 0; i < ACQUISITION_FIELDS; i++) {
		const char *name = acquisition_fields[i].ewf;
		size_t size = 0;
		char *value = a->fields[i];
		if (libewf_handle_get_utf8_header_value_size(
			    h, (const uint8_t *)name, strlen(name), &size, NULL) != 1 ||
			size == 0)
			continue;
		uint8_t *whole = size < 1 << 20 ? calloc(size + 1, 1) : NULL;
		if (whole && libewf_handle_get_utf8_header_value(h, (const uint8_t *)name,
				     strlen(name), whole, size, NULL) == 1)
			snprintf(value, ACQUISITION_TEXT, "%s", (const char *)whole);
		free(whole);
	}
}

static int read_facts(struct ewf *e, struct acquisition *a)
{
	libewf_handle_t *h = e->handle;
	libewf_error_t *error = NULL;
	uint32_t n = 0, sectors = 0;
	size64_t size = 0;
	if (libewf_handle_get_media_size(h, &size, &error) != 1 ||
		libewf_handle_get_chunk_size(h, &e->chunk_size, &error) != 1 ||
		libewf_handle_get_sectors_per_chunk(h, &sectors, &error) != 1 ||
		libewf_handle_get_bytes_per_sector(h, &e->sector_size, &error) != 1)
		return ewf_failed(&error, "read the size of");
	if (size > INT64_MAX || e->chunk_size == 0 || e->chunk_size > 1 << 30 ||
		e->sector_size == 0)
		return error_format("cannot read the EWF container: its sizes (%ju bytes "
				    "in chunks of %u) make no sense",
			(uintmax_t)size, e->chunk_size);
	a->media_size = size;
	libewf_handle_set_header_values_date_format(h, LIBEWF_DATE_FORMAT_ISO8601, NULL);
	read_fields(h, a);
	a->has_md5 = libewf_handle_get_md5_hash(h, a->md5, sizeof a->md5, NULL) == 1;
	a->has_sha1 = libewf_handle_get_sha1_hash(h, a->sha1, sizeof a->sha1, NULL) == 1;
	if (libewf_handle_get_number_of_acquiry_errors(h, &n, NULL) == 1)
		a->n_read_errors = n;
	return 0;
}

int ewf_open(struct ewf *e, char *const *names, size_t n, struct acquisition *a)
{
	libewf_handle_t *h = NULL;
	libewf_error_t *error = NULL;
	*e = (struct ewf){0};
	if (libewf_handle_initialize(&h, &error) != 1)
		return ewf_failed(&error, "begin to read");
	e->handle = h;
	if (libewf_handle_open(h, names, (int)n, LIBEWF_OPEN_READ, &error) != 1)
		return ewf_failed(&error, "open");
	return read_facts(e, a);
}

/* Chunks with a wrong checksum, which the library has made zeros. */
static void tell_damage(struct ewf *e, const struct ewf_damage *damage)
{
	uint32_t n = 0;
	if (libewf_handle_get_number_of_checksum_errors(e->handle, &n, NULL) != 1)
		return;
	for (; e->n_damaged_told < n; e->n_damaged_told++) {
		uint64_t sector = 0, count = 0, offset, size;
		if (libewf_handle_get_checksum_error(
			    e->handle, e->n_damaged_told, &sector, &count, NULL) == 1 &&
			!__builtin_mul_overflow(sector, e->sector_size, &offset) &&
			!__builtin_mul_overflow(count, e->sector_size, &size))
			damage->tell(damage->context, offset, size);
	}
}

static bool read_all(struct ewf *e, uint8_t *data, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = libewf_handle_read_random(e->handle, data + done, size - done,
			(off64_t)(offset + done), NULL);
		if (n <= 0 || (size_t)n > size - done)
			return false;
		done += (size_t)n;
	}
	return true;
}

void ewf_read(struct ewf *e, uint8_t *data, size_t size, uint64_t offset,
	const struct ewf_damage *damage)
{
	if (!read_all(e, data, size, offset)) {
		/* Chunk by chunk: what cannot be had is no more than those. */
		for (size_t done = 0, n; done < size; done += n) {
			uint64_t at = offset + done;
			n = e->chunk_size - (size_t)(at % e->chunk_size);
			if (n > size - done)
				n = size - done;
			if (read_all(e, data + done, n, at))
				continue;
			memset(data + done, 0, n);
			damage->tell(damage->context, at, n);
		}
	}
	tell_damage(e, damage);
}
