/* SPDX-License-Identifier: MIT */
#include "core/gpt.h"

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

#define MAX_SECTOR       4096
#define MAX_ENTRIES_SIZE (1 << 20) /* 64 times what a disk usually has */

/* One copy: its header's numbers, and the entries. */
struct copy {
	const struct gpt_source *source;
	uint32_t sector_size;
	uint64_t lba;                    /* where its header is */
	struct gpt_area *header, *entry; /* where faults go */
	uint64_t alternate, first, last, entries_lba;
	uint32_t n_entries, entry_size, entries_crc;
	uint8_t disk_uuid[16];
	uint8_t *entries; /* owned */
	bool header_good, good;
};

const char *gpt_part_name(enum gpt_part part)
{
	static const char *const names[] = {
		[GPT_MBR] = "protective MBR",
		[GPT_HEADER] = "primary GPT header",
		[GPT_ENTRIES] = "primary GPT entries",
		[GPT_BACKUP_ENTRIES] = "backup GPT entries",
		[GPT_BACKUP_HEADER] = "backup GPT header",
	};
	return names[part];
}

/* Notes the first fault of an area; returns false, so that checks can end with it. */
static bool ERROR_PRINTF(2, 3) fault(struct gpt_area *area, const char *format, ...)
{
	if (*area->fault)
		return false;
	va_list args;
	va_start(args, format);
	vsnprintf(area->fault, sizeof area->fault, format, args);
	va_end(args);
	return false;
}

/* The first byte of DATA that is not zero, or SIZE. */
static size_t first_not_zero(const uint8_t *data, size_t size)
{
	size_t i = 0;
	while (i < size && data[i] == 0)
		i++;
	return i;
}

static bool read_area(const struct gpt_source *source, struct gpt_area *area, void *data)
{
	if (area->offset > source->size || area->size > source->size - area->offset)
		return fault(area, "lies outside the disk of %ju bytes",
			(uintmax_t)source->size);
	if (source->read(source->context, data, (size_t)area->size, area->offset) < 0)
		return fault(area, "%.*s", GPT_FAULT_SIZE - 1, error_text());
	return true;
}

/* ---- header ------------------------------------------------------------------------ */

static bool check_checksum(struct copy *c, uint8_t *sector)
{
	uint32_t size = get_le32(sector + AT_SIZE);
	if (memcmp(sector, "EFI PART", 8))
		return fault(c->header, "no signature");
	if (size < HEADER_MIN || size > c->sector_size)
		return fault(c->header, "header size %u is not within %d to %u", size,
			HEADER_MIN, c->sector_size);
	uint32_t stored = get_le32(sector + AT_CRC);
	put_le32(sector + AT_CRC, 0);
	uint32_t computed = crc32_of(0, sector, size);
	if (stored != computed)
		return fault(
			c->header, "CRC is %08x, its content has %08x", stored, computed);
	size_t rest = first_not_zero(sector + size, c->sector_size - size);
	if (rest < c->sector_size - size)
		return fault(c->header, "reserved byte at offset %zu is not zero",
			size + rest);
	return true;
}

static void load_header(struct copy *c, const uint8_t *sector)
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

static uint64_t entries_sectors(const struct copy *c)
{
	return u64_div_up((uint64_t)c->n_entries * c->entry_size, c->sector_size);
}

/* Header, entries and usable area must lie in the order of the disk, apart from each
 * other. */
static bool check_places(struct copy *c)
{
	uint64_t end = c->source->size / c->sector_size;
	uint64_t entries = entries_sectors(c);
	if (c->first > c->last || c->last >= end)
		return fault(c->header,
			"usable sectors %ju to %ju are not on a disk of %ju",
			(uintmax_t)c->first, (uintmax_t)c->last, (uintmax_t)end);
	if (c->entries_lba >= end || entries > end - c->entries_lba)
		return fault(c->header, "entries at sector %ju are not on a disk of %ju",
			(uintmax_t)c->entries_lba, (uintmax_t)end);
	bool in_order =
		c->lba == 1
			? c->entries_lba > 1 && c->entries_lba + entries <= c->first
			: c->entries_lba > c->last && c->entries_lba + entries <= c->lba;
	if (!in_order)
		return fault(c->header,
			"%ju sectors of entries at %ju overlap the header or the usable "
			"area",
			(uintmax_t)entries, (uintmax_t)c->entries_lba);
	return true;
}

static bool check_header(struct copy *c, uint8_t *sector)
{
	if (!read_area(c->source, c->header, sector) || !check_checksum(c, sector))
		return false;
	load_header(c, sector);
	if (get_le32(sector + AT_REVISION) != 0x10000)
		return fault(c->header, "unknown revision %08x",
			get_le32(sector + AT_REVISION));
	if (get_le32(sector + AT_RESERVED) != 0)
		return fault(c->header, "reserved bytes at offset %d are not zero",
			AT_RESERVED);
	if (get_le64(sector + AT_MY_LBA) != c->lba)
		return fault(c->header, "says it is sector %ju, but is %ju",
			(uintmax_t)get_le64(sector + AT_MY_LBA), (uintmax_t)c->lba);
	if (c->entry_size < 128 || c->entry_size > MAX_SECTOR ||
		!is_power_of_two(c->entry_size))
		return fault(
			c->header, "entries of %u bytes are unsupported", c->entry_size);
	if (c->n_entries == 0 || c->n_entries > MAX_ENTRIES_SIZE / c->entry_size)
		return fault(c->header, "%u entries of %u bytes are unsupported",
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
static bool check_entries(struct copy *c)
{
	size_t size = (size_t)c->n_entries * c->entry_size;
	c->entry->offset = c->entries_lba * c->sector_size;
	c->entry->size = entries_sectors(c) * c->sector_size;
	c->entries = malloc((size_t)c->entry->size);
	if (!c->entries)
		return fault(c->entry, "out of memory");
	if (!read_area(c->source, c->entry, c->entries))
		return false;
	uint32_t computed = crc32_of(0, c->entries, size);
	if (computed != c->entries_crc)
		return fault(c->entry, "CRC is %08x, their content has %08x",
			c->entries_crc, computed);
	size_t padding = (size_t)c->entry->size - size;
	size_t rest = first_not_zero(c->entries + size, padding);
	if (rest < padding)
		return fault(c->entry, "padding at offset %zu is not zero", size + rest);
	return true;
}

static bool load_entry(struct copy *c, uint32_t i, struct gpt_partition *p)
{
	const uint8_t *e = c->entries + (size_t)i * c->entry_size;
	uint64_t first = get_le64(e + 32), last = get_le64(e + 40);
	if (first > last || first < c->first || last > c->last)
		return fault(c->entry,
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

static bool check_overlap(struct copy *c, struct gpt_partition **sorted, size_t n)
{
	qsort(sorted, n, sizeof *sorted, by_offset);
	for (size_t i = 1; i < n; i++)
		if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->size)
			return fault(c->entry,
				"partitions %u and %u overlap at offset %ju",
				sorted[i - 1]->number, sorted[i]->number,
				(uintmax_t)sorted[i]->offset);
	qsort(sorted, n, sizeof *sorted, by_uuid);
	for (size_t i = 1; i < n; i++)
		if (!memcmp(sorted[i]->uuid, sorted[i - 1]->uuid, 16))
			return fault(c->entry, "partitions %u and %u have the same UUID",
				sorted[i - 1]->number, sorted[i]->number);
	return true;
}

/* Turns the entries into partitions, which the caller frees. */
static bool load_partitions(struct copy *c, struct gpt_partition **list, size_t *n)
{
	*n = 0;
	*list = calloc(c->n_entries, sizeof **list);
	struct gpt_partition **sorted = calloc(c->n_entries, sizeof *sorted);
	bool good = *list && sorted;
	if (!good)
		fault(c->entry, "out of memory");
	for (uint32_t i = 0; good && i < c->n_entries; i++) {
		/* An entry without a type is unused, whatever else it says. */
		if (first_not_zero(c->entries + (size_t)i * c->entry_size, 16) == 16)
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

/* ---- the table --------------------------------------------------------------------- */

/* UEFI 2.10, 5.2.3: one partition of type 0xee that covers the disk; all else is zero. */
static void check_mbr(const struct gpt_source *source, struct gpt *gpt, uint8_t *sector)
{
	struct gpt_area *area = &gpt->areas[GPT_MBR];
	*area = (struct gpt_area){.size = gpt->sector_size};
	if (!read_area(source, area, sector))
		return;
	uint64_t sectors = gpt->disk_size / gpt->sector_size - 1;
	uint8_t wanted[16] = {0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1};
	put_le32(wanted + 12, sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)sectors);
	size_t boot = first_not_zero(sector, 446);
	size_t more = first_not_zero(sector + 462, 48);
	size_t tail = first_not_zero(sector + 512, gpt->sector_size - 512);
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		fault(area, "no signature at offset 510");
	else if (memcmp(sector + 446, wanted, 16))
		fault(area, "partition at offset 446 does not protect the whole disk");
	else if (more < 48)
		fault(area, "a second partition at offset %zu", 462 + more);
	else if (boot < 446)
		fault(area, "boot code at offset %zu", boot);
	else if (tail < gpt->sector_size - 512)
		fault(area, "padding at offset %zu is not zero", 512 + tail);
}

/* Reads the copy whose header is at C->lba. Afterwards C->good says if it can be used. */
static void read_copy(struct copy *c, uint8_t *sector)
{
	*c->header = (struct gpt_area){
		.offset = c->lba * c->sector_size, .size = c->sector_size};
	*c->entry = (struct gpt_area){0};
	c->header_good = check_header(c, sector);
	c->good = c->header_good && check_entries(c);
	if (!c->header_good)
		fault(c->entry, "not checked: the header does not tell where they are");
}

/* What two good copies must agree in. Faults go to the backup: the primary is used. */
static void compare_copies(struct copy *primary, struct copy *backup, uint64_t last_lba)
{
	if (primary->header_good && primary->alternate != last_lba)
		fault(backup->header, "is not in the last sector of the disk, but %ju",
			(uintmax_t)primary->alternate);
	if (backup->header_good && backup->alternate != 1)
		fault(backup->header, "says the primary copy is sector %ju",
			(uintmax_t)backup->alternate);
	if (!primary->good || !backup->good)
		return;
	if (memcmp(primary->disk_uuid, backup->disk_uuid, 16))
		fault(backup->header, "disk UUID differs from the primary copy's");
	else if (primary->first != backup->first || primary->last != backup->last)
		fault(backup->header, "usable area differs from the primary copy's");
	else if (primary->n_entries != backup->n_entries ||
		 primary->entry_size != backup->entry_size ||
		 memcmp(primary->entries, backup->entries,
			 (size_t)primary->n_entries * primary->entry_size))
		fault(backup->entry, "differ from the primary copy's");
}

static void take(struct gpt *gpt, const struct copy *c)
{
	memcpy(gpt->disk_uuid, c->disk_uuid, 16);
	gpt->usable_offset = c->first * gpt->sector_size;
	gpt->usable_end = (c->last + 1) * gpt->sector_size;
	gpt->from_backup = c->lba != 1;
}

/* One sector size. Returns true if a copy could be used. */
static bool read_both(
	const struct gpt_source *source, uint32_t sector_size, struct gpt *gpt)
{
	uint8_t sector[MAX_SECTOR];
	uint64_t last_lba = source->size / sector_size - 1;
	*gpt = (struct gpt){.sector_size = sector_size, .disk_size = source->size};
	check_mbr(source, gpt, sector);
	struct copy primary = {.source = source,
		.sector_size = sector_size,
		.lba = 1,
		.header = &gpt->areas[GPT_HEADER],
		.entry = &gpt->areas[GPT_ENTRIES]};
	read_copy(&primary, sector);
	struct copy backup = {.source = source,
		.sector_size = sector_size,
		.lba = last_lba,
		.header = &gpt->areas[GPT_BACKUP_HEADER],
		.entry = &gpt->areas[GPT_BACKUP_ENTRIES]};
	/* Beyond the end of the disk it would not be found: then the last sector is
	 * tried. */
	if (primary.header_good && primary.alternate > primary.last &&
		primary.alternate < last_lba)
		backup.lba = primary.alternate;
	read_copy(&backup, sector);
	compare_copies(&primary, &backup, last_lba);
	if (primary.good && (primary.good = load_partitions(
				     &primary, &gpt->partitions, &gpt->n_partitions)))
		take(gpt, &primary);
	else if (backup.good && (backup.good = load_partitions(
					 &backup, &gpt->partitions, &gpt->n_partitions)))
		take(gpt, &backup);
	free(primary.entries);
	free(backup.entries);
	return primary.good || backup.good;
}

static int refuse(const struct gpt_source *source, const struct gpt *gpt)
{
	const struct gpt_area *header = &gpt->areas[GPT_HEADER];
	enum gpt_part part = *header->fault ? GPT_HEADER : GPT_ENTRIES;
	const struct gpt_area *area = &gpt->areas[part];
	return error_format("%s: offset %ju: no usable partition table: %s: %s",
		source->name, (uintmax_t)area->offset, gpt_part_name(part), area->fault);
}

int gpt_read(const struct gpt_source *source, uint32_t sector_size, struct gpt *gpt)
{
	*gpt = (struct gpt){.disk_size = source->size};
	if (sector_size != 0 && sector_size != 512 && sector_size != 4096)
		return error_format("%s: sectors of %u bytes are unsupported",
			source->name, sector_size);
	uint32_t size = sector_size ? sector_size : 512;
	if (source->size < 6 * (uint64_t)size)
		return error_format("%s: %ju bytes are too few for a partition table",
			source->name, (uintmax_t)source->size);
	if (read_both(source, size, gpt))
		return 0;
	if (sector_size == 0 && source->size >= 6 * 4096) {
		struct gpt other;
		bool good = read_both(source, 4096, &other);
		/* Neither is good: tell of the size that has a signature, 512 by default.
		 */
		bool better = strcmp(other.areas[GPT_HEADER].fault, "no signature") &&
			      !strcmp(gpt->areas[GPT_HEADER].fault, "no signature");
		if (good || better)
			*gpt = other;
		if (good)
			return 0;
	}
	return refuse(source, gpt);
}

static int read_from_file(void *context, void *data, size_t size, uint64_t offset)
{
	return file_read(context, data, size, offset);
}

int gpt_read_file(const struct file *f, uint32_t sector_size, struct gpt *gpt)
{
	struct gpt_source source = {.read = read_from_file,
		.context = (void *)(uintptr_t)f,
		.size = f->size,
		.name = f->name};
	return gpt_read(&source, sector_size, gpt);
}

bool gpt_sound(const struct gpt *gpt)
{
	for (size_t i = 0; i < GPT_N_PARTS; i++)
		if (*gpt->areas[i].fault)
			return false;
	return true;
}

const struct gpt_partition *gpt_by_uuid(const struct gpt *gpt, const uint8_t uuid[16])
{
	for (size_t i = 0; i < gpt->n_partitions; i++)
		if (!memcmp(gpt->partitions[i].uuid, uuid, 16))
			return &gpt->partitions[i];
	return NULL;
}

void gpt_free(struct gpt *gpt)
{
	free(gpt->partitions);
	gpt->partitions = NULL;
	gpt->n_partitions = 0;
}
