/* SPDX-License-Identifier: MIT */
#include "core/gpt_copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32.h"
#include "core/hex.h"

/* UEFI 2.10, 5.3.2: offsets in a header. */
#define HEADER_MIN    92
#define AT_REVISION   8
#define AT_SIZE       12
#define AT_CRC        16
#define AT_RESERVED   20
#define AT_MY_LBA     24
#define AT_ALTERNATE  32
#define AT_FIRST      40
#define AT_LAST       48
#define AT_DISK_UUID  56
#define AT_ENTRIES    72
#define AT_N_ENTRIES  80
#define AT_ENTRY_SIZE 84
#define AT_ENTRY_CRC  88

#define MAX_ENTRIES_SIZE (1 << 20) /* 64 times what a disk usually has */

bool gpt_fault(struct gpt_area *area, const char *format, ...)
{
	if (*area->fault)
		return false;
	area->status = STATUS_FORMAT;
	va_list args;
	va_start(args, format);
	vsnprintf(area->fault, sizeof area->fault, format, args);
	va_end(args);
	return false;
}

size_t gpt_not_zero(const uint8_t *data, size_t size)
{
	size_t i = 0;
	while (i < size && data[i] == 0)
		i++;
	return i;
}

bool gpt_read_area(const struct gpt_source *source, struct gpt_area *area, void *data)
{
	if (area->offset > source->size || area->size > source->size - area->offset)
		return gpt_fault(area, "lies outside the disk of %ju bytes",
			(uintmax_t)source->size);
	if (source->read(source->context, data, (size_t)area->size, area->offset) == 0)
		return true;
	if (!*area->fault) {
		gpt_fault(area, "%.*s", GPT_FAULT_SIZE - 1, error_text());
		area->status = error_status();
	}
	return false;
}

/* ---- header ------------------------------------------------------------------------ */

static bool check_checksum(struct gpt_copy *c, uint8_t *sector)
{
	uint32_t size = get_le32(sector + AT_SIZE);
	if (memcmp(sector, "EFI PART", 8))
		return gpt_fault(c->header, "no signature");
	if (size < HEADER_MIN || size > c->sector_size)
		return gpt_fault(c->header, "header size %u is not within %d to %u", size,
			HEADER_MIN, c->sector_size);
	uint32_t stored = get_le32(sector + AT_CRC);
	put_le32(sector + AT_CRC, 0);
	uint32_t computed = crc32_of(0, sector, size);
	if (stored != computed)
		return gpt_fault(
			c->header, "CRC is %08x, its content has %08x", stored, computed);
	size_t rest = gpt_not_zero(sector + size, c->sector_size - size);
	if (rest < c->sector_size - size)
		return gpt_fault(c->header, "reserved byte at offset %zu is not zero",
			size + rest);
	return true;
}

static void load_header(struct gpt_copy *c, const uint8_t *sector)
{
	c->alternate = get_le64(sector + AT_ALTERNATE);
	c->first = get_le64(sector + AT_FIRST);
	c->last = get_le64(sector + AT_LAST);
	c->entries_lba = get_le64(sector + AT_ENTRIES);
	c->n_entries = get_le32(sector + AT_N_ENTRIES);
	c->entry_size = get_le32(sector + AT_ENTRY_SIZE);
	c->entries_crc = get_le32(sector + AT_ENTRY_CRC);
	memcpy(c->disk_uuid, sector + AT_DISK_UUID, 16);
	uuid_swap(c->disk_uuid);
}

static uint64_t entries_sectors(const struct gpt_copy *c)
{
	return u64_div_up((uint64_t)c->n_entries * c->entry_size, c->sector_size);
}

/* Header, entries and usable area must lie in the order of the disk, apart from each
 * other. */
static bool check_places(struct gpt_copy *c)
{
	uint64_t end = c->source->size / c->sector_size;
	uint64_t entries = entries_sectors(c);
	if (c->first > c->last || c->last >= end)
		return gpt_fault(c->header,
			"usable sectors %ju to %ju are not on a disk of %ju",
			(uintmax_t)c->first, (uintmax_t)c->last, (uintmax_t)end);
	if (c->entries_lba >= end || entries > end - c->entries_lba)
		return gpt_fault(c->header,
			"entries at sector %ju are not on a disk of %ju",
			(uintmax_t)c->entries_lba, (uintmax_t)end);
	bool in_order =
		c->lba == 1
			? c->entries_lba > 1 && c->entries_lba + entries <= c->first
			: c->entries_lba > c->last && c->entries_lba + entries <= c->lba;
	if (!in_order)
		return gpt_fault(c->header,
			"%ju sectors of entries at %ju overlap the header or the usable "
			"area",
			(uintmax_t)entries, (uintmax_t)c->entries_lba);
	return true;
}

static bool check_header(struct gpt_copy *c, uint8_t *sector)
{
	if (!gpt_read_area(c->source, c->header, sector) || !check_checksum(c, sector))
		return false;
	load_header(c, sector);
	if (get_le32(sector + AT_REVISION) != 0x10000)
		return gpt_fault(c->header, "unknown revision %08x",
			get_le32(sector + AT_REVISION));
	if (get_le32(sector + AT_RESERVED) != 0)
		return gpt_fault(c->header, "reserved bytes at offset %d are not zero",
			AT_RESERVED);
	if (get_le64(sector + AT_MY_LBA) != c->lba)
		return gpt_fault(c->header, "says it is sector %ju, but is %ju",
			(uintmax_t)get_le64(sector + AT_MY_LBA), (uintmax_t)c->lba);
	if (c->entry_size < 128 || c->entry_size > GPT_MAX_SECTOR ||
		!is_power_of_two(c->entry_size))
		return gpt_fault(
			c->header, "entries of %u bytes are unsupported", c->entry_size);
	if (c->n_entries == 0 || c->n_entries > MAX_ENTRIES_SIZE / c->entry_size)
		return gpt_fault(c->header, "%u entries of %u bytes are unsupported",
			c->n_entries, c->entry_size);
	return check_places(c);
}

/* ---- entries ----------------------------------------------------------------------- */

/* UTF-16LE to UTF-8. Half surrogates and control characters become U+FFFD. */
static void decode_name(const uint8_t *units, char *text)
{
	for (size_t i = 0; i < 36; i++) {
		uint32_t c = get_le16(units + 2 * i);
		uint32_t next = i + 1 < 36 ? get_le16(units + 2 * i + 2) : 0;
		if (c == 0)
			break;
		if (c >= 0xd800 && c < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
			i++;
		} else if ((c >= 0xd800 && c < 0xe000) || c < 0x20 ||
			   (c >= 0x7f && c < 0xa0)) {
			c = 0xfffd;
		}
		if (c < 0x80) {
			*text++ = (char)c;
			continue;
		}
		unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
		static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
		*text++ = (char)(lead[more] | c >> 6 * more);
		while (more-- > 0)
			*text++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	}
	*text = 0;
}

/* Reads the entries; whole sectors, of which the last may end with padding. */
static bool check_entries(struct gpt_copy *c)
{
	size_t size = (size_t)c->n_entries * c->entry_size;
	c->entry->offset = c->entries_lba * c->sector_size;
	c->entry->size = entries_sectors(c) * c->sector_size;
	c->entries = malloc((size_t)c->entry->size);
	if (!c->entries)
		return gpt_fault(c->entry, "out of memory");
	if (!gpt_read_area(c->source, c->entry, c->entries))
		return false;
	uint32_t computed = crc32_of(0, c->entries, size);
	if (computed != c->entries_crc)
		return gpt_fault(c->entry, "CRC is %08x, their content has %08x",
			c->entries_crc, computed);
	size_t padding = (size_t)c->entry->size - size;
	size_t rest = gpt_not_zero(c->entries + size, padding);
	if (rest < padding)
		return gpt_fault(
			c->entry, "padding at offset %zu is not zero", size + rest);
	return true;
}

static bool load_entry(struct gpt_copy *c, uint32_t i, struct gpt_partition *p)
{
	const uint8_t *e = c->entries + (size_t)i * c->entry_size;
	uint64_t first = get_le64(e + 32), last = get_le64(e + 40);
	if (first > last || first < c->first || last > c->last)
		return gpt_fault(c->entry,
			"partition %u, sectors %ju to %ju, is outside the usable %ju to "
			"%ju",
			i + 1, (uintmax_t)first, (uintmax_t)last, (uintmax_t)c->first,
			(uintmax_t)c->last);
	p->number = i + 1;
	memcpy(p->type, e, 16);
	memcpy(p->uuid, e + 16, 16);
	uuid_swap(p->type);
	uuid_swap(p->uuid);
	/* No overflow: check_places has seen that c->last is on the disk. */
	p->offset = first * c->sector_size;
	p->size = (last - first + 1) * c->sector_size;
	p->attributes = get_le64(e + 48);
	decode_name(e + 56, p->name);
	return true;
}

static int by_offset(const void *a, const void *b)
{
	const struct gpt_partition *x = *(struct gpt_partition *const *)a;
	const struct gpt_partition *y = *(struct gpt_partition *const *)b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_uuid(const void *a, const void *b)
{
	return memcmp((*(struct gpt_partition *const *)a)->uuid,
		(*(struct gpt_partition *const *)b)->uuid, 16);
}

static bool check_overlap(struct gpt_copy *c, struct gpt_partition **sorted, size_t n)
{
	qsort(sorted, n, sizeof *sorted, by_offset);
	for (size_t i = 1; i < n; i++)
		if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->size)
			return gpt_fault(c->entry,
				"partitions %u and %u overlap at offset %ju",
				sorted[i - 1]->number, sorted[i]->number,
				(uintmax_t)sorted[i]->offset);
	qsort(sorted, n, sizeof *sorted, by_uuid);
	for (size_t i = 1; i < n; i++)
		if (!memcmp(sorted[i]->uuid, sorted[i - 1]->uuid, 16))
			return gpt_fault(c->entry,
				"partitions %u and %u have the same UUID",
				sorted[i - 1]->number, sorted[i]->number);
	return true;
}

bool gpt_copy_partitions(struct gpt_copy *c, struct gpt_partition **list, size_t *n)
{
	*n = 0;
	*list = calloc(c->n_entries, sizeof **list);
	struct gpt_partition **sorted = calloc(c->n_entries, sizeof *sorted);
	bool good = *list && sorted;
	if (!good)
		gpt_fault(c->entry, "out of memory");
	for (uint32_t i = 0; good && i < c->n_entries; i++) {
		/* An entry without a type is unused, whatever else it says. */
		if (gpt_not_zero(c->entries + (size_t)i * c->entry_size, 16) == 16)
			continue;
		sorted[*n] = *list + *n;
		good = load_entry(c, i, *list + *n);
		*n += 1;
	}
	good = good && check_overlap(c, sorted, *n);
	free(sorted);
	if (good)
		return true;
	free(*list);
	*list = NULL;
	*n = 0;
	return false;
}

void gpt_copy_read(struct gpt_copy *c, uint8_t *sector)
{
	*c->header = (struct gpt_area){
		.offset = c->lba * c->sector_size, .size = c->sector_size};
	*c->entry = (struct gpt_area){0};
	c->header_good = check_header(c, sector);
	c->good = c->header_good && check_entries(c);
	if (c->header_good)
		return;
	gpt_fault(c->entry, "not checked: the header does not tell where they are");
	c->entry->status = STATUS_UNCHECKED;
}
