/* SPDX-License-Identifier: MIT */
#include "verifier/examine/uncovered.h"

#include "verifier/examine/safe_mount.h"

void uncovered_limits(struct examination *e)
{
	const struct place place = {.area = "image"};
	report_uncovered(&e->report, "limits", &place,
		"writes to the disk below the file system it lies on, past the kernel's "
		"cache, show only in blocks that were read from there again");
	report_uncovered(&e->report, "limits", &place,
		"a kernel, or a tracer of this process, that lies about what it does "
		"cannot be seen from here");
}

static void report_area(struct examination *e, const struct examined_area *a)
{
	const struct place place = {.area = a->number ? "partition" : "image",
		.partition = a->number,
		.offset = a->offset,
		.size = a->size};
	const char *why = safe_mount_knows(a->type) && e->mount_options
				  ? ", another partition was chosen"
				  : "";
	if (a->number)
		report_uncovered(&e->report, "areas", &place,
			"partition %u: %s: not examined%s", a->number,
			area_describe(a->type), why);
	else
		report_uncovered(&e->report, "areas", &place, "%s: not examined",
			area_describe(a->type));
}

void uncovered_areas(struct examination *e, uint64_t size)
{
	uint64_t covered = 0, end = 0;
	for (size_t i = 0; i < e->n_areas; i++) {
		const struct examined_area *a = &e->areas[i];
		uint64_t from = a->offset > end ? a->offset : end;
		if (a->offset + a->size > from) {
			end = a->offset + a->size;
			covered += end - from;
		}
		if (!area_was_shown(e, a))
			report_area(e, a);
	}
	const struct place place = {.area = "image", .size = size};
	if (e->n_areas && covered < size)
		report_uncovered(&e->report, "areas", &place,
			"%ju bytes lie in no partition: not looked into",
			(uintmax_t)(size - covered));
}
