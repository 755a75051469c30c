/* SPDX-License-Identifier: MIT */
#include "verifier/sections.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verifier/boot_files.h"

/* ---- two programs ------------------------------------------------------------------ */

/* The first byte that differs: the size of the shorter one if that is where it ends. */
static size_t first_difference(struct span a, struct span b)
{
	size_t n = a.size < b.size ? a.size : b.size, i = 0;
	while (i < n && a.data[i] == b.data[i])
		i++;
	return i;
}

/* 1 if both have the section NAME with the same contents. */
static bool is_same(const struct pe *a, const struct pe *b, const char *name)
{
	struct span x, y;
	return pe_find(a, name, &x) == 0 && pe_find(b, name, &y) == 0 &&
	       x.size == y.size && first_difference(x, y) == x.size;
}

static size_t count_same(const struct pe *a, const struct pe *b)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n_sections; i++)
		n += is_same(a, b, a->sections[i].name);
	return n;
}

static bool have_same_digest(const struct pe *a, const struct pe *b)
{
	uint8_t x[32], y[32];
	return pe_digest(a, x) == 0 && pe_digest(b, y) == 0 && !memcmp(x, y, sizeof x);
}

/* ---- all of them on the disk ------------------------------------------------------- */

struct search {
	const struct disk *disk;
	const struct pe *pe;
	const struct place *place;
	struct report *report;
	size_t n, best, most; /* seen; the one most like PE, and its sections like it */
	bool found;
	/* What is done with each unified kernel image. */
	void (*take)(struct search *s, const struct program *p, const char *path);
};

static void score(struct search *s, const struct program *p, const char *path)
{
	size_t n_same = count_same(s->pe, &p->pe);
	(void)path;
	if (!s->found || n_same > s->most) {
		s->found = true;
		s->best = s->n;
		s->most = n_same;
	}
}

static void tell_section(struct search *s, const struct pe_section *section,
	const struct pe *other, const char *path)
{
	struct place place = *s->place;
	struct span ours, theirs;
	int here = pe_find(s->pe, section->name, &ours);
	int there = pe_find(other, section->name, &theirs);
	place.offset = section->file_offset;
	place.size = section->file_size;
	if (here < 0 || there < 0)
		report_error(s->report, "program", &place, s->pe->name);
	else if (here || there)
		report_fault(s->report, STATUS_CONTENT, "program", &place,
			"section %s is %s", section->name,
			here ? "not here, but in that on the image" : "only here");
	else if (theirs.size != ours.size || memcmp(ours.data, theirs.data, ours.size))
		report_fault(s->report, STATUS_CONTENT, "program", &place,
			"section %s differs from that of %s, from its byte %zu on",
			section->name, path, first_difference(ours, theirs));
}

static void tell(struct search *s, const struct program *p, const char *path)
{
	size_t faults = s->report->n_faults;
	if (s->n != s->best)
		return;
	if (have_same_digest(s->pe, &p->pe)) {
		report_good(s->report, "program", s->place,
			"all %u sections and headers are those of %s", s->pe->n_sections,
			path);
		return;
	}
	for (size_t i = 0; i < s->pe->n_sections; i++)
		tell_section(s, &s->pe->sections[i], &p->pe, path);
	for (size_t i = 0; i < p->pe.n_sections; i++)
		if (!pe_section(s->pe, p->pe.sections[i].name))
			tell_section(s, &p->pe.sections[i], &p->pe, path);
	if (s->report->n_faults == faults)
		report_fault(s->report, STATUS_CONTENT, "program", s->place,
			"headers, or bytes outside of the sections, differ from those of "
			"%s",
			path);
}

static void look_at(struct search *s, const struct place *esp, const struct fat *fat,
	const struct boot_file *file)
{
	char path[FAT_NAME_SIZE + 64];
	AUTO_PROGRAM p;
	snprintf(path, sizeof path, "%s: /%.*s", esp->area, FAT_NAME_SIZE, file->path);
	if (program_read(&p, fat, file) < 0 || !p.is_uki)
		return;
	s->take(s, &p, path);
	s->n++;
}

static void look_into(struct search *s, const struct place *esp)
{
	struct fat fat;
	AUTO_BOOT_FILES files = {0};
	if (fat_open(&fat, s->disk->file, esp->offset, esp->size) < 0 ||
		boot_files_list(&files, &fat) < 0) {
		if (s->take == score)
			report_error(s->report, "esp", esp, s->disk->file->name);
		return;
	}
	for (size_t i = 0; i < files.n_items; i++)
		if (fat_is_program(&files.items[i].entry))
			look_at(s, esp, &fat, &files.items[i]);
}

static void look_everywhere(struct search *s,
	void (*take)(struct search *, const struct program *, const char *))
{
	s->take = take;
	s->n = 0;
	for (size_t i = 0; i < s->disk->gpt.n_partitions; i++) {
		const struct gpt_partition *p = &s->disk->gpt.partitions[i];
		const struct dps_type *t = disk_type(p);
		char name[40];
		if (t && (t->role == DPS_ESP || t->role == DPS_XBOOTLDR))
			look_into(s, &(struct place){.area = disk_name(s->disk, p, name),
					     .partition = p->number,
					     .offset = p->offset,
					     .size = p->size});
	}
}

void sections_check(const struct disk *disk, const struct pe *pe,
	const struct place *place, struct report *report)
{
	struct search s = {.disk = disk, .pe = pe, .place = place, .report = report};
	look_everywhere(&s, score);
	if (s.found)
		look_everywhere(&s, tell);
	else
		report_note(report, "program", place,
			"no unified kernel image is on %s: sections were compared with "
			"none",
			disk->file->name);
}
