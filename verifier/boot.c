/* SPDX-License-Identifier: MIT */
#include "verifier/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/authenticode.h"
#include "initrd/compose/anchors.h"
#include "initrd/plan/words.h"
#include "verifier/age.h"
#include "verifier/boot_files.h"
#include "verifier/boot_policy.h"
#include "verifier/boot_space.h"
#include "verifier/probe.h"

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
	/* A program without a disk: the root hash that its command line names. */
	bool alone;
	char named[65];
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
	else {
		report_good(b->report, "program", place,
			"signed by %s (sha256 fingerprint %s)", by->name,
			by->fingerprint);
		age_check_revoked(b->o, by, NULL, "program", place, b->report);
	}
}

static bool says(struct span value, const char *text)
{
	return value.size == strlen(text) && !memcmp(value.data, text, value.size);
}

/* The set with that ROLE whose root hash is VALUE, or NULL. */
static const struct payload *find_payload(
	const struct boot *b, enum dps_role role, struct span value)
{
	for (size_t i = 0; i < b->n_payloads; i++) {
		const struct payload *p = &b->payloads[i];
		const char *trusted = p->given          ? p->given
				      : *p->signed_hash ? p->signed_hash
							: p->claimed;
		if (p->set->role == role && *trusted && says(value, trusted))
			return p;
	}
	return NULL;
}

/* Without a disk: against the root hash that was given, or told. */
static void check_named(
	struct boot *b, const struct place *place, const char *name, struct span value)
{
	int size = value.size < 200 ? (int)value.size : 200;
	const char *text = (const char *)value.data;
	if (value.size < sizeof b->named)
		memcpy(b->named, text, value.size);
	if (!b->o->root_hash)
		report_note(b->report, "cmdline", place,
			"boots %s=%.*s; no root hash was given to compare", name, size,
			text);
	else if (says(value, b->o->root_hash))
		report_good(b->report, "cmdline", place,
			"%s= is the root hash that was given", name);
	else
		report_fault(b->report, STATUS_CONTENT, "cmdline", place,
			"%s=%.*s is not the root hash that was given", name, size, text);
}

/* NAME=VALUE of a UKI's command line must be the root hash of a set with that ROLE. */
static void check_root_hash(struct boot *b, const struct place *place, const char *name,
	struct span value, enum dps_role role)
{
	const struct payload *p = find_payload(b, role, value);
	if (b->alone)
		check_named(b, place, name, value);
	else if (p)
		report_good(b->report, "cmdline", place, "%s= is the root hash of the %s",
			name, p->data.area);
	else
		report_fault(b->report, STATUS_CONTENT, "cmdline", place,
			"%s=%.*s is the root hash of no partition of this image", name,
			value.size < 200 ? (int)value.size : 200,
			(const char *)value.data);
}

/* Every word NAME=... is checked, and there may be one. Returns how many there are. */
static size_t check_words(struct boot *b, const struct place *place,
	const struct words *words, const char *name, enum dps_role role)
{
	size_t n = 0;
	for (size_t i = 0; i < words->n; i++) {
		const char *value = word_value(words_get(words, i), name);
		if (!value)
			continue;
		check_root_hash(b, place, name, span_of(value, strlen(value)), role);
		n++;
	}
	if (n > 1)
		report_fault(b->report, STATUS_FORMAT, "cmdline", place,
			"%s= stands %zu times in the command line", name, n);
	return n;
}

static void check_cmdline(
	struct boot *b, const struct place *place, const struct program *p)
{
	struct words words = {0};
	if (words_parse(&words, p->cmdline) < 0) {
		report_error(b->report, "cmdline", place, p->pe.name);
		return;
	}
	size_t n = check_words(b, place, &words, "roothash", DPS_ROOT);
	n += check_words(b, place, &words, "usrhash", DPS_USR);
	if (n == 0)
		report_fault(b->report, STATUS_FORMAT, "cmdline", place,
			"neither roothash= nor usrhash= is in the command line");
}

/* The policy decides what the init does, so it must name what is on this disk. */
static void compare_policy(
	struct boot *b, const struct place *place, const struct policy *policy)
{
	struct probe probe;
	struct span hash = span_of(policy->root_hash, strlen(policy->root_hash));
	const struct payload *p =
		find_payload(b, policy->part == PART_ROOT ? DPS_ROOT : DPS_USR, hash);
	if (b->alone && strcmp(policy->root_hash, b->named))
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants root hash %s, the command line "
			"another",
			policy->root_hash);
	else if (b->alone)
		report_good(b->report, "initrd", place,
			"the initrd's boot policy names the root hash of the command "
			"line");
	else if (!p)
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants root hash %s, which no partition "
			"has",
			policy->root_hash);
	else if (probe_file_system(b->disk->file, p->data.offset, p->data.size, &probe) <
		 0)
		report_error(b->report, "initrd", place, b->disk->file->name);
	else if (strcmp(probe_name(probe.kind), policy->fs))
		report_fault(b->report, STATUS_CONTENT, "initrd", place,
			"the initrd's boot policy wants %s on the %s, which holds %s",
			policy->fs, p->data.area, probe_name(probe.kind));
	else
		report_good(b->report, "initrd", place,
			"the initrd's boot policy names the root hash and file system of "
			"the %s",
			p->data.area);
}

/* The epoch that a UKI says it has, and the one that its init compares. */
static void check_epoch(struct boot *b, const struct place *place,
	const struct program *p, const struct policy *policy)
{
	struct span text;
	unsigned epoch = 0;
	int r = pe_find(&p->pe, ".osrel", &text);
	if (r == 0)
		r = anchors_epoch(text, p->pe.name, &epoch);
	if (r < 0)
		report_error(b->report, "rollback", place, p->pe.name);
	else if (epoch != policy->epoch)
		report_fault(b->report, STATUS_CONTENT, "rollback", place,
			"its os-release has the epoch %u, but the initrd's boot policy "
			"%u",
			epoch, policy->epoch);
	else
		age_check_epoch(b->o, epoch, place, b->report);
}

static void check_policy(
	struct boot *b, const struct place *place, const struct program *p)
{
	struct policy policy;
	struct span initrd;
	int r = pe_find(&p->pe, ".initrd", &initrd);
	if (r == 0)
		r = boot_policy_read(&policy, initrd, p->pe.name);
	if (r < 0)
		report_error(b->report, "initrd", place, p->pe.name);
	else if (r == 1)
		report_note(b->report, "initrd", place,
			"no boot policy of Cairn's in the first archive of its initrd: "
			"what decides is not checked");
	else {
		compare_policy(b, place, &policy);
		check_epoch(b, place, p, &policy);
	}
}

static void check_parts(
	struct boot *b, const struct place *place, const struct program *p)
{
	check_sum(b, place, p);
	check_signature(b, place, p);
	if (!p->is_uki)
		return;
	b->n_ukis++;
	check_cmdline(b, place, p);
	check_policy(b, place, p);
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
	check_parts(b, &place, &p);
}

void boot_check_program(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	struct boot b = {.o = o, .report = report, .alone = true};
	struct place place = {.area = "EFI program", .size = f->size};
	AUTO_PROGRAM p;
	if (program_read_file(&p, f) < 0) {
		report_error(report, "program", &place, f->name);
		return;
	}
	check_parts(&b, &place, &p);
	if (!p.is_uki && o->root_hash)
		report_fault(report, STATUS_UNCHECKED, "program", &place,
			"no unified kernel image: no command line has a root hash to "
			"compare");
	else if (!p.is_uki)
		report_note(report, "program", &place,
			"no unified kernel image: there is no kernel in it");
	for (size_t i = 0; i < p.pe.n_sections; i++)
		report_note(report, "program", &place, "section %s, %u bytes",
			p.pe.sections[i].name, p.pe.sections[i].virtual_size);
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
