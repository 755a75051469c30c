/* SPDX-License-Identifier: MIT */
#include "verifier/acquisition.h"

#include <string.h>

#include "core/hex.h"

const struct acquisition_field acquisition_fields[ACQUISITION_FIELDS] = {
	{"case_number", "case", "case"},
	{"evidence_number", "evidence", "evidence"},
	{"description", "description", "description"},
	{"examiner_name", "examiner", "examiner"},
	{"notes", "notes", "notes"},
	{"acquiry_date", "acquired", "acquired"},
	{"system_date", "systemDate", "system date"},
	{"acquiry_operating_system", "system", "system"},
	{"acquiry_software_version", "software", "software"},
	{"model", "model", "model"},
	{"serial_number", "serialNumber", "serial number"},
};

json_object *acquisition_json(const struct acquisition *a)
{
	json_object *o = json_object_new_object();
	json_add_text(o, "format", a->format);
	json_add_number(o, "segments", a->n_segments);
	json_add_number(o, "mediaSize", a->media_size);
	for (size_t i = 0; i < ACQUISITION_FIELDS; i++)
		if (a->fields[i][0])
			json_add_bytes(o, acquisition_fields[i].key,
				span_of(a->fields[i], strlen(a->fields[i])));
	json_add_number(o, "readErrors", a->n_read_errors);
	if (a->has_md5)
		json_add_hex(o, "md5", a->md5, sizeof a->md5);
	if (a->has_sha1)
		json_add_hex(o, "sha1", a->sha1, sizeof a->sha1);
	return o;
}

static int put_field(struct buffer *text, const char *label, const char *value)
{
	char copy[ACQUISITION_TEXT];
	memcpy(copy, value, sizeof copy);
	error_defuse(copy);
	return buffer_printf(text, "  %-16s %s\n", label, copy);
}

static int put_digest(
	struct buffer *text, const char *label, const uint8_t *digest, size_t size)
{
	char hex[2 * 32 + 1];
	return buffer_printf(text, "  %-16s %s\n", label, hex_encode(digest, size, hex));
}

int acquisition_text(const struct acquisition *a, struct buffer *text)
{
	if (!a->format[0])
		return 0;
	int r = buffer_printf(text, "container: %s, %ju segments, %ju bytes of content\n",
		a->format, (uintmax_t)a->n_segments, (uintmax_t)a->media_size);
	for (size_t i = 0; r == 0 && i < ACQUISITION_FIELDS; i++)
		if (a->fields[i][0])
			r = put_field(text, acquisition_fields[i].label, a->fields[i]);
	if (r == 0 && a->has_sha1)
		r = put_digest(text, "stored SHA-1", a->sha1, sizeof a->sha1);
	if (r == 0 && a->has_md5)
		r = put_digest(text, "stored MD5", a->md5, sizeof a->md5);
	return r;
}
