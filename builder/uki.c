/* SPDX-License-Identifier: MIT */
#include "builder/uki.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

#define MACHINE_X86_64 0x8664
#define PAGE           4096 /* what firmware allocates in; sections start on it */
#define SECTION_HEADER 40
#define SIZE_LIMIT     ((uint64_t)1 << 30) /* of any part: sums of a few stay in 32 bits */

/* Section characteristics: IMAGE_SCN_... */
#define SCN_DATA 0x40000040 /* CNT_INITIALIZED_DATA | MEM_READ */
#define SCN_CODE 0x60000020 /* CNT_CODE | MEM_EXECUTE | MEM_READ */

/* Offsets inside COFF and optional header. */
#define COFF_N_SECTIONS   2
#define COFF_SYMBOLS      8
#define COFF_SIZE         20
#define OPTIONAL_DATA     8
#define OPTIONAL_IMAGE    56
#define OPTIONAL_CHECKSUM 64

unsigned uki_stub_version(const struct pe *stub)
{
	static const char marker[] = "LoaderInfo: systemd-stub ";
	struct span magic;
	if (pe_find(stub, ".sdmagic", &magic) != 0)
		return 0;
	const uint8_t *found = memmem(magic.data, magic.size, marker, sizeof marker - 1);
	if (!found)
		return 0;
	unsigned version = 0;
	const uint8_t *end = magic.data + magic.size;
	for (found += sizeof marker - 1; found < end && version < 100000; found++) {
		if (*found < '0' || *found > '9')
			break;
		version = 10 * version + (unsigned)(*found - '0');
	}
	return version;
}

/*
 * A section to add. The kernel is last, and the image is said to be as large in memory as
 * the kernel needs there, so that a stub can also run it where it lies.
 */
struct part {
	const char *name;
	struct span contents;
	uint32_t characteristics;
	uint64_t memory; /* how much it needs, if more than its size */
};

/* What is being put together. */
struct draft {
	const struct pe *stub;
	struct buffer *image;
	size_t start;     /* of the image in the buffer */
	uint32_t header;  /* where the next section header goes */
	uint64_t address; /* where the next section goes in memory */
	uint64_t data;    /* sum of the sizes added */
	unsigned n_added;
};

static int refuse(const char *name, const char *what)
{
	return error_format("%s: %s", name, what);
}

static int check_stub(const struct pe *stub, const struct part *parts, size_t n)
{
	if (stub->machine != MACHINE_X86_64)
		return refuse(stub->name, "is not for x86-64");
	if (stub->certificates)
		return refuse(stub->name, "is signed; its signature would not survive");
	for (size_t i = 0; i < n; i++) {
		if (pe_section(stub, parts[i].name))
			return error_format("%s: already has a section %s", stub->name,
				parts[i].name);
		if (parts[i].contents.size == 0)
			return error_format("UKI: nothing to put into %s", parts[i].name);
	}
	return 0;
}

/* Pads the image up to the file alignment. */
static int pad(struct draft *d)
{
	uint64_t size = d->image->size - d->start, aligned;
	if (u64_align(size, d->stub->file_alignment, &aligned) || aligned > SIZE_LIMIT)
		return refuse(d->stub->name, "has an absurd file alignment");
	return buffer_append_zeros(d->image, (size_t)(aligned - size));
}

/* Everything of the stub up to the end of its last section; no symbol table. */
static int append_stub(struct draft *d)
{
	const struct pe *stub = d->stub;
	uint64_t end = stub->size_of_headers;
	for (unsigned i = 0; i < stub->n_sections; i++) {
		const struct pe_section *s = &stub->sections[i];
		uint64_t file = (uint64_t)s->file_offset + s->file_size;
		uint64_t memory = (uint64_t)s->virtual_address + s->virtual_size;
		end = s->file_size && file > end ? file : end;
		d->address = memory > d->address ? memory : d->address;
	}
	u64_align(d->address, PAGE, &d->address);
	d->header = stub->section_table + SECTION_HEADER * stub->n_sections;
	int r = buffer_append(d->image, stub->image.data, (size_t)end);
	if (r < 0)
		return r;
	memset(d->image->data + d->start + stub->coff_offset + COFF_SYMBOLS, 0, 8);
	return pad(d);
}

static void put_header(struct draft *d, const struct part *part)
{
	uint8_t *header = d->image->data + d->start + d->header;
	uint64_t padded = 0;
	u64_align(part->contents.size, d->stub->file_alignment, &padded);
	memset(header, 0, SECTION_HEADER);
	memcpy(header, part->name, strlen(part->name));
	put_le32(header + 8, (uint32_t)part->contents.size);
	put_le32(header + 12, (uint32_t)d->address);
	put_le32(header + 16, (uint32_t)padded);
	put_le32(header + 20, (uint32_t)(d->image->size - d->start));
	put_le32(header + 36, part->characteristics);
	d->header += SECTION_HEADER;
	d->data += padded;
	d->n_added++;
}

static int append_part(struct draft *d, const struct part *part)
{
	uint64_t size = part->contents.size;
	uint64_t memory = part->memory > size ? part->memory : size;
	if (size > SIZE_LIMIT || memory > SIZE_LIMIT || d->address > SIZE_LIMIT ||
		d->image->size - d->start > SIZE_LIMIT)
		return error_format("UKI: too large with a %s of %ju bytes", part->name,
			(uintmax_t)size);
	if (d->header + SECTION_HEADER > d->stub->size_of_headers)
		return refuse(d->stub->name, "has no room for further section headers");
	put_header(d, part);
	u64_align(d->address + memory, PAGE, &d->address);
	int r = buffer_append(d->image, part->contents.data, (size_t)size);
	return r < 0 ? r : pad(d);
}

/* Puts the header's sums right. */
static void finish(struct draft *d)
{
	struct span image = span_of(d->image->data + d->start, d->image->size - d->start);
	uint8_t *coff = d->image->data + d->start + d->stub->coff_offset;
	uint8_t *optional = coff + COFF_SIZE;
	uint32_t data = get_le32(optional + OPTIONAL_DATA) + (uint32_t)d->data;
	put_le16(coff + COFF_N_SECTIONS, (uint16_t)(d->stub->n_sections + d->n_added));
	put_le32(optional + OPTIONAL_DATA, data);
	put_le32(optional + OPTIONAL_IMAGE, (uint32_t)d->address);
	put_le32(optional + OPTIONAL_CHECKSUM,
		pe_checksum(image, d->stub->checksum_offset));
}

static int assemble(struct draft *d, const struct part *parts, size_t n)
{
	int r = check_stub(d->stub, parts, n);
	if (r == 0)
		r = append_stub(d);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = append_part(d, &parts[i]);
	if (r == 0)
		finish(d);
	return r;
}

int uki_make(const struct uki *uki, struct buffer *image)
{
	struct pe stub, kernel;
	int r = pe_parse(&stub, uki->stub, "EFI stub");
	if (r == 0)
		r = pe_parse(&kernel, uki->kernel, "kernel");
	if (r == 0 && kernel.machine != stub.machine)
		r = refuse(kernel.name, "is not for the machine of the EFI stub");
	if (r < 0)
		return r;
	struct part parts[5] = {
		{".osrel", uki->osrel, SCN_DATA, 0},
		{".cmdline", uki->cmdline, SCN_DATA, 0},
	};
	size_t n = 2;
	if (uki->uname.data && uki_stub_version(&stub) >= 254)
		parts[n++] = (struct part){".uname", uki->uname, SCN_DATA, 0};
	parts[n++] = (struct part){".initrd", uki->initrd, SCN_DATA, 0};
	parts[n++] = (struct part){".linux", uki->kernel, SCN_CODE, kernel.size_of_image};
	struct draft d = {.stub = &stub, .image = image, .start = image->size};
	return assemble(&d, parts, n);
}

/* ---- PCR 11 ----------------------------------------------------------------------- */

/*
 * What a stub measures, in this order, and since which version of systemd: the UKI
 * specification's list. A section that is not there is skipped.
 */
static const struct {
	const char *name;
	unsigned since;
} measured[] = {
	{".linux", 252},
	{".osrel", 252},
	{".cmdline", 252},
	{".initrd", 252},
	{".ucode", 256},
	{".splash", 252},
	{".dtb", 252},
	{".uname", 254},
	{".sbat", 254},
	{".pcrpkey", 252},
};

static int extend(uint8_t pcr[32], const struct span *parts, size_t n_parts)
{
	uint8_t digest[32];
	const struct span both[] = {span_of(pcr, 32), SPAN(digest)};
	int r = hash_parts(HASH_SHA256, parts, n_parts, digest);
	return r < 0 ? r : hash_parts(HASH_SHA256, both, 2, pcr);
}

/* Name with its NUL first, then the section as it lies in memory. */
static int measure(const struct pe *uki, const char *name, uint8_t pcr[32])
{
	struct span contents;
	int r = pe_find(uki, name, &contents);
	if (r != 0)
		return r;
	const struct span text = span_of(name, strlen(name) + 1);
	r = extend(pcr, &text, 1);
	size_t padding = pe_section(uki, name)->virtual_size - contents.size;
	if (padding > SIZE_LIMIT)
		return refuse(uki->name, "has an absurdly large section");
	uint8_t *zeros = calloc(1, padding + 1);
	if (!zeros)
		return error_memory();
	const struct span parts[] = {contents, span_of(zeros, padding)};
	if (r == 0)
		r = extend(pcr, parts, 2);
	free(zeros);
	return r;
}

int uki_pcr11(const struct pe *uki, uint8_t pcr[32])
{
	static const char *const unknown[] = {".profile", ".dtbauto", ".hwids", ".efifw"};
	unsigned version = uki_stub_version(uki);
	if (version < 252)
		return refuse(uki->name, "has no systemd stub of version 252 or later");
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		if (pe_section(uki, unknown[i]))
			return refuse(uki->name,
				"has sections whose measurement depends on the machine");
	memset(pcr, 0, 32);
	for (size_t i = 0; i < sizeof measured / sizeof *measured; i++) {
		int r = version >= measured[i].since ? measure(uki, measured[i].name, pcr)
						     : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
