/* SPDX-License-Identifier: MIT */
#include "verifier/examine/part.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static int take(const struct file *f, blkid_partition partition, struct part *part)
{
	uint64_t offset = (uint64_t)blkid_partition_get_start(partition) * SECTOR;
	uint64_t size = (uint64_t)blkid_partition_get_size(partition) * SECTOR;
	*part = (struct part){.number = (uint32_t)blkid_partition_get_partno(partition)};
	if (offset >= f->size)
		return error_format("%s: partition %u begins behind the end of the file",
			f->name, part->number);
	part->offset = offset;
	part->size = size < f->size - offset ? size : f->size - offset;
	return probe_type(f, part);
}

static int choose(
	const struct file *f, blkid_partlist list, uint32_t number, struct part *part)
{
	BUFFER names = {0};
	struct part candidate;
	unsigned n_mountable = 0;
	for (int i = 0; i < blkid_partlist_numof_partitions(list); i++) {
		int r = take(f, blkid_partlist_get_partition(list, i), &candidate);
		if (r < 0 && number == 0)
			continue;
		if (candidate.number == number) {
			*part = candidate;
			return r;
		}
		bool mountable = safe_mount_knows(candidate.type);
		if (mountable && n_mountable++ == 0)
			*part = candidate;
		buffer_printf(&names, "%s%u (%s)", names.size ? ", " : "",
			candidate.number, *candidate.type ? candidate.type : "unknown");
	}
	if (number)
		return error_format("%s: has no partition %u, only %s", f->name, number,
			names.size ? buffer_text(&names) : "an empty table");
	if (n_mountable != 1)
		return error_usage("%s: say with --partition which one is meant: %s",
			f->name, names.size ? buffer_text(&names) : "the table is empty");
	return 0;
}

static int from_table(const struct file *f, uint32_t number, struct part *part)
{
	blkid_probe probe = blkid_new_probe();
	if (!probe)
		return error_memory();
	int r = blkid_probe_set_device(probe, f->fd, 0, (blkid_loff_t)f->size);
	blkid_probe_enable_superblocks(probe, 0);
	blkid_probe_enable_partitions(probe, 1);
	blkid_partlist list = r == 0 ? blkid_probe_get_partitions(probe) : NULL;
	if (list)
		r = choose(f, list, number, part);
	else if (number)
		r = error_format("%s: has no partition table, so no partition %u",
			f->name, number);
	else
		r = 0;
	blkid_free_probe(probe);
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
