/* SPDX-License-Identifier: MIT */
#include "core/pe.h"

#include <string.h>

#include "core/hash.h"

/* Offsets and sizes are Microsoft's, "PE Format", for PE32+. */
#define DOS_HEADER_SIZE 64
#define DOS_PE_OFFSET   60
#define COFF_SIZE       20
#define MAGIC_PE32_PLUS 0x20b
#define OPTIONAL_SIZE   112 /* without the data directories, 8 bytes each */
#define MAX_DIRECTORIES 16
#define SECURITY_ENTRY  4
#define SECTION_SIZE    40

static int malformed(const struct pe *pe, uint64_t offset, const char *what)
{
	return error_format("%s: malformed PE file at offset %ju: %s", pe->name,
		(uintmax_t)offset, what);
}

/* Finds the COFF header and checks that the optional header behind it is there. */
static int find_headers(struct pe *pe, struct span *optional)
{
	struct span part, image = pe->image;
	if (image.size > UINT32_MAX)
		return malformed(pe, 0, "larger than 4 GiB");
	if (span_part(image, 0, DOS_HEADER_SIZE, &part) ||
		memcmp(part.data, "MZ", 2) != 0)
		return malformed(pe, 0, "no MZ header");
	uint64_t start = get_le32(image.data + DOS_PE_OFFSET);
	if (span_part(image, start, 4 + COFF_SIZE, &part) ||
		memcmp(part.data, "PE\0", 4) != 0)
		return malformed(pe, start, "no PE header");
	pe->coff_offset = (uint32_t)start + 4;
	pe->machine = get_le16(part.data + 4);
	pe->n_sections = get_le16(part.data + 6);
	uint16_t size = get_le16(part.data + 20);
	uint64_t offset = start + 4 + COFF_SIZE;
	if (span_part(image, offset, size, optional) || size < OPTIONAL_SIZE)
		return malformed(pe, offset, "truncated optional header");
	if (get_le16(optional->data) != MAGIC_PE32_PLUS)
		return malformed(pe, offset, "not PE32+");
	pe->section_table = (uint32_t)(offset + size);
	pe->checksum_offset = (uint32_t)offset + 64;
	pe->security_offset = (uint32_t)offset + OPTIONAL_SIZE + 8 * SECURITY_ENTRY;
	return 0;
}

static int read_optional(struct pe *pe, struct span optional)
{
	uint64_t offset = pe->checksum_offset - 64;
	uint32_t n = get_le32(optional.data + 108);
	if (n <= SECURITY_ENTRY || n > MAX_DIRECTORIES ||
		optional.size < OPTIONAL_SIZE + 8 * (size_t)n)
		return malformed(pe, offset + 108, "wrong number of data directories");
	pe->section_alignment = get_le32(optional.data + 32);
	pe->file_alignment = get_le32(optional.data + 36);
	pe->size_of_image = get_le32(optional.data + 56);
	pe->size_of_headers = get_le32(optional.data + 60);
	const uint8_t *entry = optional.data + OPTIONAL_SIZE + 8 * SECURITY_ENTRY;
	pe->certificates = get_le32(entry);
	pe->certificates_size = get_le32(entry + 4);
	if (!is_power_of_two(pe->section_alignment) ||
		!is_power_of_two(pe->file_alignment))
		return malformed(pe, offset + 32, "an alignment that is no power of two");
	uint64_t table = (uint64_t)SECTION_SIZE * pe->n_sections;
	if (pe->n_sections == 0 || pe->n_sections > PE_MAX_SECTIONS)
		return malformed(pe, pe->coff_offset + 2, "no sections, or too many");
	if (pe->size_of_headers > pe->image.size ||
		pe->section_table + table > pe->size_of_headers)
		return malformed(pe, offset + 60, "headers that do not fit");
	return 0;
}

/* The table is last in the file and 8-byte aligned, or not there at all. */
static int check_certificates(const struct pe *pe)
{
	if (pe->certificates == 0 && pe->certificates_size == 0)
		return 0;
	if (pe->certificates % 8 != 0 || pe->certificates < pe->size_of_headers ||
		pe->certificates_size == 0 || pe->certificates > pe->image.size ||
		pe->certificates_size != pe->image.size - pe->certificates)
		return malformed(pe, pe->security_offset,
			"a certificate table that does not end the file");
	return 0;
}

/* Whether [A, A + N) and [B, B + M) share anything. */
static bool overlap(uint64_t a, uint64_t n, uint64_t b, uint64_t m)
{
	return n && m && a < b + m && b < a + n;
}

static int check_section(const struct pe *pe, unsigned index)
{
	const struct pe_section *s = &pe->sections[index];
	uint64_t header = pe->section_table + (uint64_t)SECTION_SIZE * index;
	uint64_t end = (uint64_t)s->file_offset + s->file_size;
	uint64_t limit = pe->certificates ? pe->certificates : pe->image.size;
	if (s->file_size && (s->file_offset < pe->size_of_headers || end > limit))
		return malformed(pe, header, "a section outside the file");
	if ((uint64_t)s->virtual_address + s->virtual_size > pe->size_of_image)
		return malformed(pe, header, "a section outside the image");
	for (unsigned i = 0; i < index; i++) {
		const struct pe_section *t = &pe->sections[i];
		if (overlap(s->file_offset, s->file_size, t->file_offset, t->file_size) ||
			overlap(s->virtual_address, s->virtual_size, t->virtual_address,
				t->virtual_size))
			return malformed(pe, header, "sections that overlap");
	}
	return 0;
}

static int read_sections(struct pe *pe)
{
	for (unsigned i = 0; i < pe->n_sections; i++) {
		const uint8_t *header =
			pe->image.data + pe->section_table + (size_t)SECTION_SIZE * i;
		struct pe_section *s = &pe->sections[i];
		memcpy(s->name, header, 8);
		s->virtual_size = get_le32(header + 8);
		s->virtual_address = get_le32(header + 12);
		s->file_size = get_le32(header + 16);
		s->file_offset = get_le32(header + 20);
		s->characteristics = get_le32(header + 36);
		int r = check_section(pe, i);
		if (r < 0)
			return r;
	}
	return 0;
}

int pe_parse(struct pe *pe, struct span image, const char *name)
{
	*pe = (struct pe){.image = image, .name = name};
	struct span optional = {0};
	int r = find_headers(pe, &optional);
	if (r == 0)
		r = read_optional(pe, optional);
	if (r == 0)
		r = check_certificates(pe);
	return r < 0 ? r : read_sections(pe);
}

const struct pe_section *pe_section(const struct pe *pe, const char *name)
{
	for (unsigned i = 0; i < pe->n_sections; i++)
		if (!strcmp(pe->sections[i].name, name))
			return &pe->sections[i];
	return NULL;
}

int pe_find(const struct pe *pe, const char *name, struct span *contents)
{
	const struct pe_section *s = pe_section(pe, name);
	if (!s)
		return 1;
	/* Stubs use the first, other readers may use the last: neither is worth a guess.
	 */
	for (const struct pe_section *t = s + 1; t < pe->sections + pe->n_sections; t++)
		if (!strcmp(t->name, name))
			return error_format("%s: two sections %s", pe->name, name);
	uint32_t size = s->virtual_size < s->file_size ? s->virtual_size : s->file_size;
	*contents =
		size ? span_of(pe->image.data + s->file_offset, size) : span_of("", 0);
	return 0;
}

uint32_t pe_contents_end(const struct pe *pe)
{
	return pe->certificates ? pe->certificates : (uint32_t)pe->image.size;
}

/*
 * Firmware hashes headers, then the sections by their place in the file, then as much as
 * is left by their sizes. That is all bytes in order, but only if nothing lies between.
 */
static int check_gapless(const struct pe *pe)
{
	uint64_t at = pe->size_of_headers;
	for (unsigned n = 0; n < pe->n_sections; n++) {
		const struct pe_section *next = NULL;
		for (unsigned i = 0; i < pe->n_sections; i++) {
			const struct pe_section *s = &pe->sections[i];
			if (s->file_size && s->file_offset >= at &&
				(!next || s->file_offset < next->file_offset))
				next = s;
		}
		if (!next)
			break;
		if (next->file_offset != at)
			return malformed(pe, at,
				"bytes between sections, which no signature covers");
		at += next->file_size;
	}
	return 0;
}

int pe_digest(const struct pe *pe, uint8_t digest[32])
{
	static const uint8_t zeros[8];
	int r = check_gapless(pe);
	if (r < 0)
		return r;
	const uint8_t *data = pe->image.data;
	uint32_t end = pe_contents_end(pe), checksum = pe->checksum_offset;
	uint32_t security = pe->security_offset;
	/* A certificate table starts at a multiple of 8: what pads up to it is hashed. */
	const struct span parts[] = {
		span_of(data, checksum),
		span_of(data + checksum + 4, security - checksum - 4),
		span_of(data + security + 8, end - security - 8),
		span_of(zeros, (8 - end % 8) % 8),
	};
	return hash_parts(HASH_SHA256, parts, sizeof parts / sizeof *parts, digest);
}

uint32_t pe_checksum(struct span image, uint32_t checksum_offset)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < image.size; i += 2) {
		if (i == checksum_offset || i == (size_t)checksum_offset + 2)
			continue;
		sum += image.data[i];
		if (i + 1 < image.size)
			sum += (uint64_t)image.data[i + 1] << 8;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)(sum + image.size);
}
