/* SPDX-License-Identifier: MIT */
#include "verifier/examine/part.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gpt.h"
#include "verifier/examine/safe_mount.h"

#define SECTOR 512

/* What blkid leaves out if a checksum is wrong: then the kernel shall decide. */
static const struct magic {
	const char *type;
	uint64_t offset;
	const char *bytes;
	size_t size;
} magics[] = {
	{"ext4", 1080, "\x53\xef", 2},
	{"xfs", 0, "XFSB", 4},
	{"btrfs", 65600, "_BHRfS_M", 8},
	{"squashfs", 0, "hsqs", 4},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0", 4},
	{"ewf", 0, "EVF\x09\x0d\x0a\xff", 7},
	{"ewf2", 0, "EVF2\x0d\x0a\x81", 7},
	{"ewf-logical", 0, "LVF\x09\x0d\x0a\xff", 7},
	{"qcow2", 0, "QFI\xfb", 4},
	{"vmdk", 0, "KDMV", 4},
	{"vhdx", 0, "vhdxfile", 8},
};

static int probe_magic(const struct file *f, struct part *part)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
		const struct magic *m = &magics[i];
		if (part->size < m->offset + m->size)
			continue;
		int r = file_read(f, bytes, m->size, part->offset + m->offset);
		if (r < 0)
			return r;
		if (!memcmp(bytes, m->bytes, m->size)) {
			snprintf(part->type, sizeof part->type, "%s", m->type);
			return 0;
		}
	}
	return 0;
}

static int probe_type(const struct file *f, struct part *part)
{
	const char *type = NULL;
	blkid_probe probe = blkid_new_probe();
	if (!probe)
		return error_memory();
	int r = blkid_probe_set_device(
		probe, f->fd, (blkid_loff_t)part->offset, (blkid_loff_t)part->size);
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	if (r == 0)
		r = blkid_do_safeprobe(probe);
	if (r == 0)
		blkid_probe_lookup_value(probe, "TYPE", &type, NULL);
	part->type[0] = 0;
	if (r == -2)
		snprintf(part->type, sizeof part->type, "ambiguous");
	else if (type)
		snprintf(part->type, sizeof part->type, "%s", type);
	blkid_free_probe(probe);
	return part->type[0] ? 0 : probe_magic(f, part);
}

/* What a partition table says: its partitions, types not yet looked at. */
struct parts {
	struct part *items; /* owned */
	size_t n_items;
	bool has_table;
};

static int add(struct parts *parts, uint32_t number, uint64_t offset, uint64_t size)
{
	struct part *more = reallocarray(parts->items, parts->n_items + 1, sizeof *more);
	if (!more)
		return error_memory();
	parts->items = more;
	more[parts->n_items++] =
		(struct part){.number = number, .offset = offset, .size = size};
	return 0;
}

/* A GPT, of sectors of either size. Returns 1 if it is none. */
static int list_gpt(const struct file *f, struct parts *parts)
{
	AUTO_GPT gpt = {0};
	if (gpt_read_file(f, 0, &gpt) < 0)
		return 1;
	int r = 0;
	for (size_t i = 0; i < gpt.n_partitions && r == 0; i++) {
		const struct gpt_partition *p = &gpt.partitions[i];
		r = add(parts, p->number, p->offset, p->size);
		if (r == 0)
			snprintf(parts->items[i].name, sizeof parts->items[i].name, "%s",
				p->name);
	}
	parts->has_table = true;
	return r;
}

/* Every other table blkid knows. */
static int list_others(const struct file *f, struct parts *parts)
{
	blkid_probe probe = blkid_new_probe();
	if (!probe)
		return error_memory();
	int r = blkid_probe_set_device(probe, f->fd, 0, (blkid_loff_t)f->size);
	blkid_probe_enable_superblocks(probe, 0);
	blkid_probe_enable_partitions(probe, 1);
	blkid_partlist list = r == 0 ? blkid_probe_get_partitions(probe) : NULL;
	int n = list ? blkid_partlist_numof_partitions(list) : 0;
	parts->has_table = list != NULL;
	r = 0;
	for (int i = 0; i < n && r == 0; i++) {
		blkid_partition p = blkid_partlist_get_partition(list, i);
		r = add(parts, (uint32_t)blkid_partition_get_partno(p),
			(uint64_t)blkid_partition_get_start(p) * SECTOR,
			(uint64_t)blkid_partition_get_size(p) * SECTOR);
	}
	blkid_free_probe(probe);
	return r;
}

/* Cuts it off where the file ends, and looks what is in it. */
static int take(const struct file *f, struct part *part)
{
	if (part->offset >= f->size)
		return error_format("%s: partition %u begins behind the end of the file",
			f->name, part->number);
	if (part->size > f->size - part->offset)
		part->size = f->size - part->offset;
	return probe_type(f, part);
}

static int choose(const struct file *f, const struct parts *parts, uint32_t number,
	struct part *part)
{
	BUFFER names = {0};
	unsigned n_mountable = 0;
	for (size_t i = 0; i < parts->n_items; i++) {
		struct part *candidate = &parts->items[i];
		int r = take(f, candidate);
		if (candidate->number == number) {
			*part = *candidate;
			return r;
		}
		if (r == 0 && safe_mount_knows(candidate->type) && n_mountable++ == 0)
			*part = *candidate;
		buffer_printf(&names, "%s%u (%s)", names.size ? ", " : "",
			candidate->number,
			*candidate->type ? candidate->type : "unknown");
	}
	if (number)
		return error_format("%s: has no partition %u, only %s", f->name, number,
			names.size ? buffer_text(&names) : "an empty table");
	if (n_mountable != 1)
		return error_usage("%s: say with --partition which one is meant: %s",
			f->name, names.size ? buffer_text(&names) : "the table is empty");
	return 0;
}

static int list_parts(const struct file *f, struct parts *parts)
{
	int r = list_gpt(f, parts);
	return r == 1 ? list_others(f, parts) : r;
}

static int from_table(const struct file *f, uint32_t number, struct part *part)
{
	struct parts parts = {0};
	int r = list_parts(f, &parts);
	if (r == 0 && parts.has_table)
		r = choose(f, &parts, number, part);
	else if (r == 0 && number)
		r = error_format("%s: has no partition table, so no partition %u",
			f->name, number);
	free(parts.items);
	return r;
}

int part_find(const struct file *f, uint32_t number, struct part *part)
{
	*part = (struct part){.size = f->size};
	int r = number ? 0 : probe_type(f, part);
	if (r == 0 && !part->type[0])
		r = from_table(f, number, part);
	return r;
}

static int by_offset(const void *a, const void *b)
{
	const struct examined_area *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int note_area(const struct file *f, struct part *part, struct examination *e)
{
	if (part->offset >= f->size)
		return 0;
	int r = take(f, part);
	struct examined_area *a = &e->areas[e->n_areas++];
	*a = (struct examined_area){
		.number = part->number, .offset = part->offset, .size = part->size};
	snprintf(a->type, sizeof a->type, "%s", part->type);
	snprintf(a->name, sizeof a->name, "%s", part->name);
	return r;
}

int part_survey(const struct file *f, struct examination *e)
{
	struct parts parts = {0};
	struct part whole = {.size = f->size};
	int r = f->size ? probe_type(f, &whole) : 0;
	if (r == 0 && !whole.type[0])
		r = list_parts(f, &parts);
	if (r == 0) {
		e->areas = calloc(parts.n_items + 1, sizeof *e->areas);
		r = e->areas ? 0 : error_memory();
	}
	for (size_t i = 0; r == 0 && i < parts.n_items; i++)
		r = note_area(f, &parts.items[i], e);
	if (r == 0 && !parts.has_table && f->size)
		r = note_area(f, &whole, e);
	if (e->n_areas)
		qsort(e->areas, e->n_areas, sizeof *e->areas, by_offset);
	free(parts.items);
	return r;
}
