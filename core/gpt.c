/* SPDX-License-Identifier: MIT */
#include "core/gpt.h"

#include <stdlib.h>
#include <string.h>

#include "core/gpt_copy.h"

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

/* UEFI 2.10, 5.2.3: one partition of type 0xee that covers the disk; all else is zero. */
static void check_mbr(const struct gpt_source *source, struct gpt *gpt, uint8_t *sector)
{
	struct gpt_area *area = &gpt->areas[GPT_MBR];
	*area = (struct gpt_area){.size = gpt->sector_size};
	if (!gpt_read_area(source, area, sector))
		return;
	uint64_t sectors = gpt->disk_size / gpt->sector_size - 1;
	uint8_t wanted[16] = {0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1};
	put_le32(wanted + 12, sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)sectors);
	size_t boot = gpt_not_zero(sector, 446);
	size_t more = gpt_not_zero(sector + 462, 48);
	size_t tail = gpt_not_zero(sector + 512, gpt->sector_size - 512);
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		gpt_fault(area, "no signature at offset 510");
	else if (memcmp(sector + 446, wanted, 16))
		gpt_fault(
			area, "partition at offset 446 does not protect the whole disk");
	else if (more < 48)
		gpt_fault(area, "a second partition at offset %zu", 462 + more);
	else if (boot < 446)
		gpt_fault(area, "boot code at offset %zu", boot);
	else if (tail < gpt->sector_size - 512)
		gpt_fault(area, "padding at offset %zu is not zero", 512 + tail);
}

/* What two good copies must agree in. Faults go to the backup: the primary is used. */
static void compare_copies(
	struct gpt_copy *primary, struct gpt_copy *backup, uint64_t last_lba)
{
	if (primary->header_good && primary->alternate != last_lba)
		gpt_fault(backup->header,
			"is not in the last sector of the disk, but %ju",
			(uintmax_t)primary->alternate);
	if (backup->header_good && backup->alternate != 1)
		gpt_fault(backup->header, "says the primary copy is sector %ju",
			(uintmax_t)backup->alternate);
	if (!primary->good || !backup->good)
		return;
	if (memcmp(primary->disk_uuid, backup->disk_uuid, 16))
		gpt_fault(backup->header, "disk UUID differs from the primary copy's");
	else if (primary->first != backup->first || primary->last != backup->last)
		gpt_fault(backup->header, "usable area differs from the primary copy's");
	else if (primary->n_entries != backup->n_entries ||
		 primary->entry_size != backup->entry_size ||
		 memcmp(primary->entries, backup->entries,
			 (size_t)primary->n_entries * primary->entry_size))
		gpt_fault(backup->entry, "differ from the primary copy's");
}

/* Where entries must be whose header does not tell: as the other copy has them. */
static void locate_entries(struct gpt *gpt)
{
	struct gpt_area *primary = &gpt->areas[GPT_ENTRIES];
	struct gpt_area *backup = &gpt->areas[GPT_BACKUP_ENTRIES];
	uint64_t end = gpt->areas[GPT_BACKUP_HEADER].offset;
	if (primary->size == 0 && backup->size != 0) {
		primary->offset = 2 * (uint64_t)gpt->sector_size;
		primary->size = backup->size;
	} else if (backup->size == 0 && primary->size < end) {
		backup->offset = end - primary->size;
		backup->size = primary->size;
	}
}

static void take(struct gpt *gpt, const struct gpt_copy *c)
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
	uint8_t sector[GPT_MAX_SECTOR];
	uint64_t last_lba = source->size / sector_size - 1;
	*gpt = (struct gpt){.sector_size = sector_size, .disk_size = source->size};
	check_mbr(source, gpt, sector);
	struct gpt_copy primary = {.source = source,
		.sector_size = sector_size,
		.lba = 1,
		.header = &gpt->areas[GPT_HEADER],
		.entry = &gpt->areas[GPT_ENTRIES]};
	gpt_copy_read(&primary, sector);
	struct gpt_copy backup = {.source = source,
		.sector_size = sector_size,
		.lba = last_lba,
		.header = &gpt->areas[GPT_BACKUP_HEADER],
		.entry = &gpt->areas[GPT_BACKUP_ENTRIES]};
	/* Beyond the end of the disk it would not be found: then the last sector is
	 * tried. */
	if (primary.header_good && primary.alternate > primary.last &&
		primary.alternate < last_lba)
		backup.lba = primary.alternate;
	gpt_copy_read(&backup, sector);
	compare_copies(&primary, &backup, last_lba);
	locate_entries(gpt);
	if (primary.good && (primary.good = gpt_copy_partitions(
				     &primary, &gpt->partitions, &gpt->n_partitions)))
		take(gpt, &primary);
	else if (backup.good && (backup.good = gpt_copy_partitions(
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
