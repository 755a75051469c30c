/* SPDX-License-Identifier: MIT */
#include "verifier/verify_program.h"

#include <stdlib.h>
#include <string.h>

#include "verifier/boot_program.h"
#include "verifier/sections.h"

bool verify_is_program(const struct file *f)
{
	uint8_t head[64];
	return f->size >= sizeof head && file_read(f, head, sizeof head, 0) == 0 &&
	       !memcmp(head, "MZ", 2);
}

static void tell_sections(
	const struct pe *pe, const struct place *place, struct report *report)
{
	for (size_t i = 0; i < pe->n_sections; i++)
		report_note(report, "program", place, "section %s, %u bytes",
			pe->sections[i].name, pe->sections[i].virtual_size);
}

static void check_alone(
	struct boot *b, const struct place *place, const struct program *p)
{
	b->alone = true;
	boot_program_check(b, place, p);
	if (!p->is_uki && b->o->root_hash)
		report_fault(b->report, STATUS_UNCHECKED, "program", place,
			"no unified kernel image: no command line has a root hash to "
			"compare");
	else if (!p->is_uki)
		report_note(b->report, "program", place,
			"no unified kernel image: there is no kernel in it");
	tell_sections(&p->pe, place, b->report);
}

/* ---- against an image -------------------------------------------------------------- */

static void prepare(struct payload *list, const struct disk *disk)
{
	for (size_t i = 0; i < disk->n_sets; i++) {
		payload_init(&list[i], disk, &disk->sets[i]);
		payload_find_appended(&list[i]);
	}
}

/* The program's word for the root hash is what the image's blocks are held to. */
static void check_named_set(struct boot *b, struct payload *list)
{
	for (size_t i = 0; i < b->n_payloads; i++) {
		struct payload *p = &list[i];
		if (!*b->named || strcmp(p->claimed, b->named))
			continue;
		p->given = b->named;
		payload_check_structure(p, b->report);
		payload_check_tree(p, b->o, b->report);
		payload_check_file_system(p, b->report);
		return;
	}
}

static void check_against(struct boot *b, const struct place *place,
	const struct program *p, const struct disk *disk)
{
	struct payload *list = calloc(disk->n_sets + 1, sizeof *list);
	if (!list) {
		b->report->incomplete = true;
		return;
	}
	prepare(list, disk);
	b->disk = disk;
	b->payloads = list;
	b->n_payloads = disk->n_sets;
	boot_program_check(b, place, p);
	if (p->is_uki) {
		check_named_set(b, list);
		sections_check(disk, &p->pe, place, b->report);
	} else {
		report_fault(b->report, STATUS_UNCHECKED, "program", place,
			"no unified kernel image: there is nothing to hold against %s",
			disk->file->name);
	}
	free(list);
}

int verify_program(
	const struct file *f, const struct verify_options *o, struct report *report)
{
	struct boot b = {.o = o, .report = report};
	struct place place = {.area = "EFI program", .size = f->size};
	AUTO_DISK disk = {0};
	AUTO_PROGRAM p = {0};
	int r = o->image ? disk_open(&disk, o->image) : 0;
	if (r < 0)
		return r;
	if (program_read_file(&p, f) < 0)
		report_error(report, "program", &place, f->name);
	else if (o->image)
		check_against(&b, &place, &p, &disk);
	else
		check_alone(&b, &place, &p);
	return 0;
}
