/* SPDX-License-Identifier: MIT */
#include "verifier/locate_target.h"

#include <string.h>

#include "blobfs/format.h"
#include "verifier/disk.h"
#include "verifier/probe.h"

/* Whether a file system starts at OFFSET, be it ever so damaged. */
static bool is_known(const struct file *f, uint64_t offset, uint64_t size)
{
	struct probe probe;
	uint8_t magic[BLOBFS_MAGIC_SIZE] = {0};
	if (probe_file_system(f, offset, size, &probe) == 0 &&
		probe.kind != PROBE_UNKNOWN)
		return true;
	return size > sizeof magic && file_read(f, magic, sizeof magic, offset) == 0 &&
	       !memcmp(magic, BLOBFS_MAGIC, sizeof magic);
}

static void take_partition(
	struct locate_target *t, const struct disk *d, const struct gpt_partition *p)
{
	char name[40];
	*t = (struct locate_target){
		.partition = p->number, .offset = p->offset, .size = p->size};
	snprintf(t->area, sizeof t->area, "%.39s", disk_name(d, p, name));
}

static const struct gpt_partition *choose(const struct disk *d, uint32_t number)
{
	for (size_t i = 0; number && i < d->gpt.n_partitions; i++)
		if (d->gpt.partitions[i].number == number)
			return &d->gpt.partitions[i];
	for (size_t i = 0; !number && i < d->n_sets; i++)
		if (d->sets[i].data)
			return d->sets[i].data;
	for (size_t i = 0; !number && i < d->gpt.n_partitions; i++)
		if (is_known(d->file, d->gpt.partitions[i].offset,
			    d->gpt.partitions[i].size))
			return &d->gpt.partitions[i];
	return NULL;
}

int locate_target_find(struct locate_target *t, const struct file *f, uint32_t partition)
{
	AUTO_DISK disk;
	int r = disk_open(&disk, f);
	const struct gpt_partition *p = r == 0 ? choose(&disk, partition) : NULL;
	if (p) {
		take_partition(t, &disk, p);
		return 0;
	}
	if (r < 0 && error_status() != STATUS_FORMAT)
		return r;
	if (partition)
		return error_usage("%s: there is no partition %u", f->name, partition);
	if (!is_known(f, 0, f->size))
		return error_format("%s: neither a partition table nor a file system "
				    "that is known here",
			f->name);
	*t = (struct locate_target){.area = "file system", .size = f->size};
	return 0;
}
