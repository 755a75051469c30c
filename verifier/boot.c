/* SPDX-License-Identifier: MIT */
#include "verifier/boot.h"

#include <stdio.h>

#include "verifier/boot_program.h"
#include "verifier/boot_space.h"

static void check_program(struct boot *b, const struct boot_file *file)
{
	char area[FAT_NAME_SIZE + 64];
	snprintf(area, sizeof area, "%s: /%.*s", b->esp.area, FAT_NAME_SIZE, file->path);
	struct place place = {.area = area, .partition = b->esp.partition};
	AUTO_PROGRAM p;
	if (program_read(&p, &b->fat, file) < 0) {
		report_error(b->report, "program", &place, file->path);
		return;
	}
	boot_program_check(b, &place, &p);
}

/* ---- partitions -------------------------------------------------------------------- */

/* Not faults: firmware uses neither, and whoever deletes a file leaves it there. */
static void check_space(struct boot *b)
{
	struct boot_space space;
	if (boot_space_check(&b->fat, &space) < 0) {
		report_error(b->report, "esp", &b->esp, b->disk->file->name);
		return;
	}
	struct place place = {
		.area = b->esp.area, .partition = b->esp.partition, .size = 1};
	place.offset = space.differ;
	if (!space.tables_agree)
		report_note(b->report, "esp", &place,
			"the copies of the allocation table differ");
	place.offset = space.not_zero;
	if (!space.free_is_zero)
		report_note(b->report, "esp", &place,
			"free space is not zero: something was deleted, or hides there");
	else
		report_good(b->report, "esp", &b->esp,
			"%ju bytes of free space, all zero", (uintmax_t)space.free_bytes);
}

static void check_esp(struct boot *b)
{
	AUTO_BOOT_FILES files = {0};
	if (fat_open(&b->fat, b->disk->file, b->esp.offset, b->esp.size) < 0 ||
		boot_files_list(&files, &b->fat) < 0) {
		report_error(b->report, "esp", &b->esp, b->disk->file->name);
		return;
	}
	for (size_t i = 0; i < files.n_items; i++) {
		if (fat_is_program(&files.items[i].entry))
			check_program(b, &files.items[i]);
		else
			report_uncovered(b->report, "esp", &b->esp,
				"/%s: nothing signs it; the boot loader reads it before "
				"anything "
				"is verified",
				files.items[i].path);
	}
	check_space(b);
	report_uncovered(b->report, "esp", &b->esp,
		"the FAT file system itself (tables, names, times, free space): firmware "
		"reads it "
		"unverified; only the signatures of the programs in it count");
}

void boot_check(const struct disk *disk, const struct payload *payloads,
	size_t n_payloads, const struct verify_options *o, struct report *report)
{
	struct boot b = {.disk = disk,
		.payloads = payloads,
		.n_payloads = n_payloads,
		.o = o,
		.report = report};
	size_t n_esps = 0;
	for (size_t i = 0; i < disk->gpt.n_partitions; i++) {
		const struct gpt_partition *p = &disk->gpt.partitions[i];
		const struct dps_type *t = disk_type(p);
		char name[40];
		if (!t || (t->role != DPS_ESP && t->role != DPS_XBOOTLDR))
			continue;
		n_esps++;
		b.esp = (struct place){.area = disk_name(disk, p, name),
			.partition = p->number,
			.offset = p->offset,
			.size = p->size};
		check_esp(&b);
	}
	struct place whole = {.area = "image"};
	if (n_esps == 0)
		report_note(report, "esp", &whole,
			"no EFI system partition: no firmware boots it");
	else if (b.n_ukis == 0)
		report_fault(report, STATUS_FORMAT, "esp", &whole,
			"no UKI on the EFI system partition: nothing that boots names a "
			"root hash");
}
