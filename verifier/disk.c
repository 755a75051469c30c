/* SPDX-License-Identifier: MIT */
#include "verifier/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#define CHUNK 65536

const struct dps_type *disk_type(const struct gpt_partition *p)
{
	return dps_by_uuid(p->type);
}

static const char *role_name(enum dps_role role)
{
	static const char *const names[] = {
		[DPS_ROOT] = "root partition",
		[DPS_USR] = "usr partition",
		[DPS_ROOT_VERITY] = "root verity partition",
		[DPS_USR_VERITY] = "usr verity partition",
		[DPS_ROOT_SIG] = "root signature partition",
		[DPS_USR_SIG] = "usr signature partition",
		[DPS_ESP] = "EFI system partition",
		[DPS_XBOOTLDR] = "extended boot loader partition",
	};
	return role < DPS_OTHER ? names[role] : NULL;
}

const char *disk_name(const struct disk *d, const struct gpt_partition *p, char name[40])
{
	const struct dps_type *type = disk_type(p);
	if (!type || !role_name(type->role)) {
		snprintf(name, 40, "partition %u", p->number);
		return name;
	}
	unsigned same = 0;
	for (size_t i = 0; i < d->gpt.n_partitions; i++) {
		const struct dps_type *t = disk_type(&d->gpt.partitions[i]);
		same += t && t->role == type->role;
	}
	if (same > 1)
		snprintf(name, 40, "%s %u", role_name(type->role), p->number);
	else
		snprintf(name, 40, "%s", role_name(type->role));
	return name;
}

/* The Nth partition (from 0) with ROLE for ARCHITECTURE, or NULL. */
static const struct gpt_partition *nth(
	const struct gpt *gpt, enum dps_role role, const char *architecture, size_t n)
{
	for (size_t i = 0; i < gpt->n_partitions; i++) {
		const struct dps_type *t = disk_type(&gpt->partitions[i]);
		if (t && t->role == role && !strcmp(t->architecture, architecture) &&
			n-- == 0)
			return &gpt->partitions[i];
	}
	return NULL;
}

static void name_set(const struct disk *d, struct disk_set *s)
{
	char name[40];
	const char *part = s->role == DPS_ROOT ? "root" : "usr";
	snprintf(s->data_name, sizeof s->data_name, "%s partition", part);
	snprintf(s->verity_name, sizeof s->verity_name, "%s verity partition", part);
	snprintf(s->signature_name, sizeof s->signature_name, "%s signature partition",
		part);
	if (s->data)
		snprintf(s->data_name, sizeof s->data_name, "%.31s",
			disk_name(d, s->data, name));
	if (s->verity)
		snprintf(s->verity_name, sizeof s->verity_name, "%.31s",
			disk_name(d, s->verity, name));
	if (s->signature)
		snprintf(s->signature_name, sizeof s->signature_name, "%s",
			disk_name(d, s->signature, name));
}

/* The sets of one role and architecture, of which the table has any partition. */
static void add_sets(struct disk *d, enum dps_role role, const char *architecture)
{
	for (size_t n = 0;; n++) {
		struct disk_set s = {.role = role, .architecture = architecture};
		bool root = role == DPS_ROOT;
		s.data = nth(&d->gpt, role, architecture, n);
		s.verity = nth(&d->gpt, root ? DPS_ROOT_VERITY : DPS_USR_VERITY,
			architecture, n);
		s.signature =
			nth(&d->gpt, root ? DPS_ROOT_SIG : DPS_USR_SIG, architecture, n);
		if (!s.data && !s.verity && !s.signature)
			return;
		name_set(d, &s);
		d->sets[d->n_sets++] = s;
	}
}

static bool has_sets(const struct disk *d, enum dps_role role, const char *architecture)
{
	for (size_t i = 0; i < d->n_sets; i++)
		if (d->sets[i].role == role &&
			!strcmp(d->sets[i].architecture, architecture))
			return true;
	return false;
}

int disk_open(struct disk *d, const struct file *f)
{
	*d = (struct disk){.file = f};
	int sector_size = 0;
	if (f->is_device && ioctl(f->fd, BLKSSZGET, &sector_size) < 0)
		return error_errno("%s: cannot get the sector size", f->name);
	int r = gpt_read_file(f, (uint32_t)sector_size, &d->gpt);
	if (r < 0)
		return r;
	/* Every set has a partition of its own, so there cannot be more sets. */
	d->sets = calloc(d->gpt.n_partitions + 1, sizeof *d->sets);
	if (!d->sets)
		return error_memory();
	for (size_t i = 0; i < d->gpt.n_partitions; i++) {
		const struct dps_type *t = disk_type(&d->gpt.partitions[i]);
		if (!t || t->role > DPS_USR_SIG)
			continue;
		bool usr = t->role == DPS_USR || t->role == DPS_USR_VERITY ||
			   t->role == DPS_USR_SIG;
		if (!has_sets(d, usr ? DPS_USR : DPS_ROOT, t->architecture))
			add_sets(d, usr ? DPS_USR : DPS_ROOT, t->architecture);
	}
	return 0;
}

void disk_close(struct disk *d)
{
	gpt_free(&d->gpt);
	free(d->sets);
	d->sets = NULL;
	d->n_sets = 0;
}

/* The offset of the next byte at or after OFFSET that is not in a hole; END if none. */
static uint64_t skip_hole(const struct file *f, uint64_t offset, uint64_t end)
{
	if (f->is_device)
		return offset;
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);
	/* ENXIO: nothing but a hole. Any other trouble shows when it is read. */
	if (data < 0)
		return errno == ENXIO ? end : offset;
	return (uint64_t)data < end ? (uint64_t)data : end;
}

int disk_find_nonzero(const struct file *f, uint64_t offset, uint64_t size, uint64_t *at)
{
	static const uint8_t zeros[CHUNK];
	uint8_t chunk[CHUNK];
	uint64_t end = offset + size;
	while ((offset = skip_hole(f, offset, end)) < end) {
		size_t n = end - offset < CHUNK ? (size_t)(end - offset) : CHUNK;
		int r = file_read(f, chunk, n, offset);
		if (r < 0)
			return r;
		if (memcmp(chunk, zeros, n)) {
			size_t i = 0;
			while (chunk[i] == 0)
				i++;
			*at = offset + i;
			return 0;
		}
		offset += n;
	}
	return 1;
}
