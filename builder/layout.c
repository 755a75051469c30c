/* SPDX-License-Identifier: MIT */
#include "builder/layout.h"

#include <errno.h>
#include <libfdisk/libfdisk.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"

/* GPT attribute bit 60: mount read-only (Discoverable Partitions Specification). */
#define READ_ONLY_ATTRIBUTE "GUID:60"

int layout_place(struct layout *l, uint64_t wanted)
{
	uint64_t end = LAYOUT_ALIGNMENT;
	for (size_t i = 0; i < l->n_parts; i++) {
		struct layout_part *p = &l->parts[i];
		if (u64_align(p->size, LAYOUT_GRAIN, &p->size) ||
			u64_align(end, LAYOUT_ALIGNMENT, &p->offset) ||
			u64_add(p->offset, p->size, &end))
			return error_format("partition %s: %ju bytes are too many",
				p->label, (uintmax_t)p->size);
	}
	/* The second table needs 33 sectors at the end; a whole unit keeps the total
	 * even. */
	if (u64_align(end, LAYOUT_ALIGNMENT, &end) ||
		u64_add(end, LAYOUT_ALIGNMENT, &end))
		return error_format("the image would be too large");
	if (wanted && wanted < end)
		return error_usage("a size of %ju bytes is too small: %ju are needed",
			(uintmax_t)wanted, (uintmax_t)end);
	l->size = wanted ? wanted : end;
	return 0;
}

static int fdisk_error(int r, const struct file *f, const char *what)
{
	return error_set(
		STATUS_FAILED, -r, "%s: cannot %s: %s", f->name, what, strerror(-r));
}

static int fill(struct fdisk_context *cxt, struct fdisk_partition *pa,
	struct fdisk_parttype *type, const struct layout_part *p, size_t number)
{
	char uuid[UUID_TEXT_SIZE];
	unsigned long sector = fdisk_get_sector_size(cxt);
	int r = fdisk_parttype_set_typestr(type, p->type->uuid);
	if (r == 0)
		r = fdisk_partition_set_type(pa, type);
	if (r == 0)
		r = fdisk_partition_set_partno(pa, number);
	if (r == 0)
		r = fdisk_partition_set_start(pa, p->offset / sector);
	if (r == 0)
		r = fdisk_partition_set_size(pa, p->size / sector);
	/* Else libfdisk would round sizes to its own idea of alignment. */
	if (r == 0)
		r = fdisk_partition_size_explicit(pa, 1);
	if (r == 0)
		r = fdisk_partition_set_name(pa, p->label);
	if (r == 0)
		r = fdisk_partition_set_uuid(pa, uuid_encode(p->uuid, uuid));
	if (r == 0 && p->read_only)
		r = fdisk_partition_set_attrs(pa, READ_ONLY_ATTRIBUTE);
	return r;
}

static int add_part(struct fdisk_context *cxt, const struct layout_part *p, size_t number)
{
	struct fdisk_partition *pa = fdisk_new_partition();
	struct fdisk_parttype *type = fdisk_new_parttype();
	int r = pa && type ? fill(cxt, pa, type, p, number) : -ENOMEM;
	if (r == 0)
		r = fdisk_add_partition(cxt, pa, NULL);
	fdisk_unref_partition(pa);
	fdisk_unref_parttype(type);
	return r;
}

/* The usable sectors follow from the sector size alone, not from the disk's topology. */
static int new_label(struct fdisk_context *cxt, const struct layout *l)
{
	char uuid[UUID_TEXT_SIZE], first[24];
	snprintf(first, sizeof first, "%lu",
		LAYOUT_ALIGNMENT / fdisk_get_sector_size(cxt));
	struct fdisk_script *script = fdisk_new_script(cxt);
	if (!script)
		return -ENOMEM;
	/* An identifier given beforehand keeps libfdisk from drawing a random one. */
	int r = fdisk_script_set_header(script, "label", "gpt");
	if (r == 0)
		r = fdisk_script_set_header(
			script, "label-id", uuid_encode(l->disk_uuid, uuid));
	if (r == 0)
		r = fdisk_script_set_header(script, "first-lba", first);
	if (r == 0)
		r = fdisk_set_script(cxt, script);
	if (r == 0)
		r = fdisk_create_disklabel(cxt, "gpt");
	fdisk_set_script(cxt, NULL);
	fdisk_unref_script(script);
	return r;
}

static int write_table(
	struct fdisk_context *cxt, const struct layout *l, const struct file *f)
{
	fdisk_disable_dialogs(cxt, 1);
	int r = fdisk_assign_device_by_fd(cxt, f->fd, f->name, 0);
	if (r < 0)
		return fdisk_error(r, f, "read it for its partition table");
	if ((r = new_label(cxt, l)) < 0)
		return fdisk_error(r, f, "make a partition table");
	for (size_t i = 0; i < l->n_parts; i++)
		if ((r = add_part(cxt, &l->parts[i], i)) < 0)
			return fdisk_error(r, f, "add a partition");
	if ((r = fdisk_write_disklabel(cxt)) < 0)
		return fdisk_error(r, f, "write the partition table");
	return 0;
}

int layout_write(const struct layout *l, const struct file *f)
{
	struct fdisk_context *cxt = fdisk_new_context();
	if (!cxt)
		return error_memory();
	int r = write_table(cxt, l, f);
	/* No sync(2) of the whole machine: the caller flushes this file. */
	fdisk_deassign_device(cxt, 1);
	fdisk_unref_context(cxt);
	return r;
}
