/* SPDX-License-Identifier: MIT */
#include "verifier/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/authenticode.h"
#include "verifier/boot_files.h"

/* What is passed down: the image, and the EFI system partition that is looked at. */
struct boot {
	const struct disk *disk;
	const struct payload *payloads;
	size_t n_payloads;
	const struct verify_options *o;
	struct report *report;
	struct place esp;
	struct fat fat;
	size_t n_ukis;
};

/* ---- programs ---------------------------------------------------------------------- */

/* Any single changed byte shows in this sum, though an attacker can mend it. */
static void check_sum(struct boot *b, const struct place *place, const struct program *p)
{
	const uint8_t *field = p->bytes.data + p->pe.checksum_offset;
	uint32_t stored = get_le32(field);
	uint32_t computed = pe_checksum(buffer_span(&p->bytes), p->pe.checksum_offset);
	if (stored && stored != computed)
		report_fault(b->report, STATUS_FORMAT, "program", place,
			"PE checksum is %08x, its content has %08x", stored, computed);
}

static void check_signature(
	struct boot *b, const struct place *place, const struct program *p)
{
	const struct certificate *by = NULL;
	if (!b->o->pins) {
		if (b->o->no_signature)
			report_note(b->report, "program", place,
				"signature: not checked, as asked");
		else
			report_fault(b->report, STATUS_UNCHECKED, "program", place,
				"signature: not checked (no certificate given)");
		return;
	}
	int r = authenticode_verify(&p->pe, b->o->pins, b->o->purpose, &by);
	if (r < 0)
		report_error(b->report, "program", place, p->pe.name);
	else if (r == 1)
		report_fault(b->report, STATUS_TRUST, "program", place, "not signed");
	else
		report_good(b->report, "program", place,
			"signed by %s (sha256 fingerprint %s)", by->name,
			by->fingerprint);
}

static bool says(struct span value, const char *text)
{
	return value.size == strlen(text) && !memcmp(value.data, text, value.size);
}

/* NAME=VALUE of a UKI's command line must be the root hash of a set with that ROLE. */
static void check_root_hash(struct boot *b, const struct place *place, const char *name,
	struct span value, enum dps_role role)
{
	for (size_t i = 0; i < b->n_payloads; i++) {
		const struct payload *p = &b->payloads[i];
		const char *trusted = b->o->root_hash   ? b->o->root_hash
				      : *p->signed_hash ? p->signed_hash
							: p->claimed;
		if (p->set->role == role && *trusted && says(value, trusted)) {
			report_good(b->report, "cmdline", place,
				"%s= is the root hash of the %s", name, p->data.area);
			return;
		}
	}
	report_fault(b->report, STATUS_CONTENT, "cmdline", place,
		"%s=%.*s is the root hash of no partition of this image", name,
		value.size < 200 ? (int)value.size : 200, (const char *)value.data);
}

static void check_cmdline(
	struct boot *b, const struct place *place, const struct program *p)
{
	static const char *const names[] = {"roothash", "usrhash"};
	static const enum dps_role roles[] = {DPS_ROOT, DPS_USR};
	size_t total = 0;
	for (size_t i = 0; i < 2; i++) {
		struct span value;
		size_t n = cmdline_find(p->cmdline, names[i], &value);
		total += n;
		if (n > 1)
			report_fault(b->report, STATUS_FORMAT, "cmdline", place,
				"%s= stands %zu times in the command line", names[i], n);
		else if (n == 1)
			check_root_hash(b, place, names[i], value, roles[i]);
	}
	if (total == 0)
		report_fault(b->report, STATUS_FORMAT, "cmdline", place,
			"neither roothash= nor usrhash= is in the command line");
}

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
	check_sum(b, &place, &p);
	check_signature(b, &place, &p);
	if (!p.is_uki)
		return;
	b->n_ukis++;
	check_cmdline(b, &place, &p);
}

/* ---- partitions -------------------------------------------------------------------- */

static void check_esp(struct boot *b)
{
	AUTO_BOOT_FILES files = {0};
	if (fat_open(&b->fat, b->disk->file, b->esp.offset, b->esp.size) < 0 ||
		boot_files_list(&files, &b->fat) < 0) {
		report_error(b->report, "esp", &b->esp, b->disk->file->name);
		return;
	}
	for (size_t i = 0; i < files.n_items; i++) {
		if (boot_file_is_program(&files.items[i]))
			check_program(b, &files.items[i]);
		else
			report_uncovered(b->report, "esp", &b->esp,
				"/%s: nothing signs it; the boot loader reads it before "
				"anything "
				"is verified",
				files.items[i].path);
	}
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
