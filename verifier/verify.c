/* SPDX-License-Identifier: MIT */
#include "verifier/verify.h"

#include <stdlib.h>
#include <string.h>

#include "verifier/age.h"
#include "verifier/boot.h"
#include "verifier/payload.h"
#include "verifier/rules_check.h"
#include "verifier/verify_other.h"
#include "verifier/verify_program.h"

static void check_table(const struct disk *disk, struct report *report)
{
	bool located = false;
	for (int i = 0; i < GPT_N_PARTS; i++) {
		const struct gpt_area *a = &disk->gpt.areas[i];
		struct place place = {.area = gpt_part_name((enum gpt_part)i),
			.offset = a->offset,
			.size = a->size};
		located = located || a->size;
		if (*a->fault)
			report_fault(report, a->status, "gpt", &place, "%s", a->fault);
		else if (a->size)
			report_good(report, "gpt", &place, "sound");
	}
	/* Too small for a table: the reader has said so, and there are no areas. */
	if (!located)
		report_error(report, "gpt", &(struct place){.area = "image"},
			disk->file->name);
}

static int by_offset(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* All areas of the table and all partitions, in the order of the disk. */
static size_t collect(const struct disk *disk, struct place *list)
{
	size_t n = 0;
	for (int i = 0; i < GPT_N_PARTS; i++)
		if (disk->gpt.areas[i].size)
			list[n++] =
				(struct place){.area = gpt_part_name((enum gpt_part)i),
					.offset = disk->gpt.areas[i].offset,
					.size = disk->gpt.areas[i].size};
	for (size_t i = 0; i < disk->gpt.n_partitions; i++)
		list[n++] = (struct place){.area = "a partition",
			.partition = disk->gpt.partitions[i].number,
			.offset = disk->gpt.partitions[i].offset,
			.size = disk->gpt.partitions[i].size};
	qsort(list, n, sizeof *list, by_offset);
	return n;
}

static void check_gap(const struct disk *disk, uint64_t offset, uint64_t end,
	uint64_t *n_bytes, struct report *report)
{
	struct place place = {
		.area = "unpartitioned space", .offset = offset, .size = end - offset};
	uint64_t at;
	*n_bytes += place.size;
	int r = disk_find_nonzero(disk->file, offset, place.size, &at);
	if (r < 0)
		report_error(report, "gap", &place, disk->file->name);
	else if (r == 0)
		report_fault(report, STATUS_FORMAT, "gap", &place,
			"byte at offset %ju is not zero, and no hash covers it",
			(uintmax_t)at);
}

/* What lies between partitions must be zero: data could hide there. */
static int check_gaps(const struct disk *disk, struct report *report)
{
	struct place *list = calloc(GPT_N_PARTS + disk->gpt.n_partitions, sizeof *list);
	if (!list)
		return error_memory();
	size_t n = collect(disk, list), faults = report->n_faults;
	uint64_t end = 0, n_bytes = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i].offset > end)
			check_gap(disk, end, list[i].offset, &n_bytes, report);
		if (list[i].offset + list[i].size > end)
			end = list[i].offset + list[i].size;
	}
	free(list);
	if (disk->file->size > end)
		check_gap(disk, end, disk->file->size, &n_bytes, report);
	if (report->n_faults == faults)
		report_good(report, "gap", &(struct place){.area = "unpartitioned space"},
			"%ju bytes, all zero", (uintmax_t)n_bytes);
	return 0;
}

/* Partitions that are neither of a set nor an ESP: no hash says anything about them. */
static void tell_others(const struct disk *disk, struct report *report)
{
	for (size_t i = 0; i < disk->gpt.n_partitions; i++) {
		const struct gpt_partition *p = &disk->gpt.partitions[i];
		const struct dps_type *t = disk_type(p);
		char name[40];
		if (t && t->role != DPS_OTHER)
			continue;
		report_uncovered(report, "partition",
			&(struct place){.area = disk_name(disk, p, name),
				.partition = p->number,
				.offset = p->offset,
				.size = p->size},
			"type %s: no hash covers it", t ? t->name : "unknown");
	}
}

/*
 * The hash that was given is that of one set; a second set has none to be held to. If
 * none claims it, all are held to it: one that claims nothing may have it.
 */
static void give_hash(struct payload *list, size_t n, const struct verify_options *o)
{
	bool claimed = false;
	for (size_t i = 0; o->root_hash && i < n; i++)
		claimed = claimed || !strcmp(o->root_hash, list[i].claimed);
	for (size_t i = 0; i < n; i++)
		if (!claimed || !strcmp(o->root_hash, list[i].claimed))
			list[i].given = o->root_hash;
}

static void check_given_hash(
	const struct payload *p, const struct verify_options *o, struct report *report)
{
	if (p->given && *p->claimed && strcmp(p->given, p->claimed))
		report_fault(report, STATUS_CONTENT, "root-hash", &p->data,
			"the partitions' UUIDs say root hash %s, not the %s that was "
			"given",
			p->claimed, p->given);
	else if (o->root_hash && !p->given && o->pins)
		report_note(report, "root-hash", &p->data,
			"the root hash that was given is another partition's");
	/* Without signers either, its hash would be its own word for itself. */
	else if (o->root_hash && !p->given)
		report_fault(report, STATUS_UNCHECKED, "root-hash", &p->data,
			"the root hash that was given is another partition's, and "
			"nothing else vouches for this one");
}

static int check_payloads(
	const struct disk *disk, const struct verify_options *o, struct report *report)
{
	struct payload *list = calloc(disk->n_sets + 1, sizeof *list);
	if (!list)
		return error_memory();
	if (disk->n_sets == 0)
		report_fault(report, STATUS_FORMAT, "partition",
			&(struct place){.area = "image"},
			"no root or usr partition: there is nothing here that could be "
			"verified");
	for (size_t i = 0; i < disk->n_sets; i++) {
		payload_init(&list[i], disk, &disk->sets[i]);
		payload_find_appended(&list[i]);
	}
	give_hash(list, disk->n_sets, o);
	for (size_t i = 0; i < disk->n_sets; i++) {
		check_given_hash(&list[i], o, report);
		payload_check_structure(&list[i], report);
		payload_check_signature(&list[i], o, report);
		payload_check_tree(&list[i], o, report);
		payload_check_file_system(&list[i], report);
		age_check_payload(&list[i], o, report);
	}
	boot_check(disk, list, disk->n_sets, o, report);
	if (o->rules)
		rules_check(disk, list, o, report);
	free(list);
	return 0;
}

int verify_image(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	AUTO_DISK disk = {0};
	if (o->image && !verify_is_program(f))
		return error_usage("%s: --image is for an EFI program", f->name);
	if (verify_is_other(f, o))
		return verify_other(f, o, report);
	int r = disk_open(&disk, f);
	bool usable = r == 0;
	if (r < 0 && error_status() != STATUS_FORMAT)
		return r;
	check_table(&disk, report);
	if (!usable)
		return 0;
	r = check_payloads(&disk, o, report);
	if (r < 0)
		return r;
	tell_others(&disk, report);
	return check_gaps(&disk, report);
}
