/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_PE_H
#define CAIRN_CORE_PE_H

#include "core/error.h"
#include "core/span.h"

/*
 * A reader of PE32+ files (EFI programs): Microsoft's "PE Format". It trusts no number:
 * whatever lies outside the file or overlaps is refused.
 */

#define PE_MAX_SECTIONS 96 /* what Windows' loader and EDK II bear */

struct pe_section {
	char name[9];
	uint32_t virtual_address;
	uint32_t virtual_size;
	uint32_t file_offset;
	uint32_t file_size;
	uint32_t characteristics;
};

struct pe {
	struct span image; /* the caller's, not copied */
	const char *name;  /* the caller's, for messages */
	uint16_t machine;  /* 0x8664: x86-64 */
	uint16_t n_sections;
	uint32_t coff_offset;   /* of the COFF header, behind "PE\0\0" */
	uint32_t section_table; /* offset of the first section header */
	uint32_t section_alignment;
	uint32_t file_alignment;
	uint32_t size_of_headers;
	uint32_t size_of_image;
	uint32_t checksum_offset; /* of the 4-byte checksum field */
	uint32_t security_offset; /* of the certificate table's 8-byte directory entry */
	uint32_t certificates;    /* offset and size of the certificate table; 0: none */
	uint32_t certificates_size;
	struct pe_section sections[PE_MAX_SECTIONS]; /* as in the file */
};

/* Parses IMAGE, which must stay valid. -EINVAL, STATUS_FORMAT, names offset and reason.
 */
int pe_parse(struct pe *pe, struct span image, const char *name);

/*
 * The contents of the section NAME: min(virtual size, size in the file) bytes of it.
 * Returns 0; 1 if there is no such section; -EINVAL, STATUS_FORMAT, if there are two.
 */
int pe_find(const struct pe *pe, const char *name, struct span *contents);

/* The first section NAME, or NULL. */
const struct pe_section *pe_section(const struct pe *pe, const char *name);

/* Where the certificate table starts, or would start but for padding. */
uint32_t pe_contents_end(const struct pe *pe);

/* The Authenticode digest, SHA-256: all but checksum, directory entry and signatures.
 * STATUS_FORMAT if there are bytes between the sections, which firmware would skip. */
int pe_digest(const struct pe *pe, uint8_t digest[32]);

/* The value that belongs into the checksum field of IMAGE, computed over it as it is. */
uint32_t pe_checksum(struct span image, uint32_t checksum_offset);

#endif
