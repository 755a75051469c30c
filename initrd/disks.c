/* SPDX-License-Identifier: MIT */
#include "initrd/disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/dps.h"
#include "core/hex.h"
#include "initrd/fail.h"

#define DISKS_MAX 256
/*
 * The kernel lists a disk a moment before it can be opened, and that before it knows the
 * partitions: so often, in turns of base.c, one that is not ready is looked at again.
 */
#define LOOKS_MAX 20
#define SYSFS_UNIT                                                          \
	512 /* bytes; sysfs counts in these whatever the disk's sectors are \
	     */

static struct seen {
	char name[40];
	uint64_t sequence;
	unsigned looks; /* that are left */
	bool put_off;   /* has a pair, but another disk goes first */
} seen[DISKS_MAX];
static size_t n_seen;
static struct buffer seen_text;
static bool seen_boot; /* the disk that goes first */

const char *disks_seen(void)
{
	return seen_text.size ? buffer_text(&seen_text) : "no disks";
}

void disk_pair_free(struct disk_pair *pair)
{
	file_close(&pair->disk);
}

int disk_wanted(struct disk_wanted *wanted, const char *root_hash, bool usr)
{
	uint8_t hash[32];
	wanted->has_boot = false;
	const struct dps_type *type =
		dps_find(usr ? DPS_USR_SIG : DPS_ROOT_SIG, dps_native());
	if (hex_decode(root_hash, hash, sizeof hash) || !type ||
		uuid_decode(type->uuid, wanted->signature))
		return error_format("bad root hash");
	memcpy(wanted->data, hash, 16);
	memcpy(wanted->hash, hash + 16, 16);
	return 0;
}

/* A number, or a short text without its newline, from sysfs; false if it is not there. */
static bool read_text(const char *directory, const char *name, char *text, size_t size)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return true;
}

static uint64_t read_number(const char *directory, const char *name)
{
	char text[32];
	return read_text(directory, name, text, sizeof text) ? strtoull(text, NULL, 10)
							     : 0;
}

/* The kernel's partition of exactly that place, if there is one. */
static bool find_part(const char *disk, struct disk_part *part)
{
	char directory[80];
	snprintf(directory, sizeof directory, "/sys/block/%s", disk);
	DIR *d = opendir(directory);
	bool found = false;
	for (struct dirent *e; d && !found && (e = readdir(d));) {
		char path[128];
		if (strncmp(e->d_name, disk, strlen(disk)) != 0 ||
			strlen(e->d_name) >= sizeof part->name)
			continue;
		snprintf(path, sizeof path, "%s/%.39s", directory, e->d_name);
		found = read_number(path, "partition") > 0 &&
			read_number(path, "start") == part->offset / SYSFS_UNIT &&
			read_number(path, "size") == part->size / SYSFS_UNIT &&
			read_text(path, "dev", part->device, sizeof part->device);
		if (found)
			strcpy(part->name, e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/*
 * Makes the kernel know a partition that it did not find itself: it does not read the
 * backup table, nor one of 512-byte sectors on a disk of 4096.
 */
static int add_part(const struct file *disk, int number, const struct disk_part *part)
{
	struct blkpg_partition p = {.start = (long long)part->offset,
		.length = (long long)part->size,
		.pno = number};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof p, .data = &p};
	if (ioctl(disk->fd, BLKPG, &arg) < 0)
		return error_errno(
			"%s: the kernel cannot use partition %d", disk->name, number);
	return 0;
}

int disks_part(const struct file *disk, const char *name, const struct gpt_partition *p,
	struct disk_part *part)
{
	*part = (struct disk_part){.offset = p->offset, .size = p->size};
	if (part->offset % SYSFS_UNIT || part->size % SYSFS_UNIT)
		return error_format("%s: partition %u is not aligned", name, p->number);
	if (find_part(name, part))
		return 0;
	int r = add_part(disk, (int)p->number, part);
	if (r == 0 && !find_part(name, part))
		r = error_set(STATUS_FAILED, ENXIO, "%s: partition %u does not appear",
			name, p->number);
	return r;
}

/* Returns 1 and fills PAIR if both halves are on the disk, 0 if not. PAIR->disk is open.
 */
static int get_pair(const struct disk_wanted *wanted, const char *name,
	const struct gpt *gpt, struct disk_pair *pair)
{
	const struct gpt_partition *data = gpt_by_uuid(gpt, wanted->data);
	const struct gpt_partition *hash = gpt_by_uuid(gpt, wanted->hash);
	if (!data || !hash)
		return 0;
	int r = disks_part(&pair->disk, name, data, &pair->data);
	if (r == 0)
		r = disks_part(&pair->disk, name, hash, &pair->hash);
	for (size_t i = 0; r == 0 && i < gpt->n_partitions; i++) {
		const struct gpt_partition *p = &gpt->partitions[i];
		if (!memcmp(p->type, wanted->signature, 16) &&
			pair->n_signatures < DISK_SIGNATURES_MAX)
			pair->signatures[pair->n_signatures++] =
				(struct disk_part){.offset = p->offset, .size = p->size};
	}
	return r < 0 ? r : 1;
}

/* sysfs writes '!' for the '/' of names like cciss/c0d0. */
static void device_path(const char *name, char path[64])
{
	snprintf(path, 64, "/dev/%.39s", name);
	for (char *p = path; *p; p++)
		if (*p == '!')
			*p = '/';
}

/* Opens the disk NAME. Returns 0, 1 if there is no table on it, or a negative errno. */
static int open_disk(const char *name, struct file *disk, struct gpt *gpt)
{
	char path[64], directory[80];
	device_path(name, path);
	snprintf(directory, sizeof directory, "/sys/block/%s/queue", name);
	uint64_t sector = read_number(directory, "logical_block_size");
	int r = file_open_image(disk, path, O_RDONLY);
	if (r < 0)
		return r;
	bool has_table = gpt_read_file(disk, (uint32_t)sector, gpt) == 0 ||
			 gpt_read_file(disk, 0, gpt) == 0;
	return !has_table;
}

/*
 * Opens the disk and finds the pair, as get_pair. Without a table it is 0: that is an
 * answer. Negative if the disk, or a partition of its table, cannot be used (yet).
 */
static int read_disk(const char *name, const struct disk_wanted *wanted,
	struct disk_pair *pair, bool *has_table, bool *is_boot)
{
	AUTO_GPT gpt = {0};
	int r = open_disk(name, &pair->disk, &gpt);
	if (r < 0)
		return r;
	*has_table = r == 0;
	*is_boot = *has_table && wanted->has_boot && gpt_by_uuid(&gpt, wanted->boot);
	if (*has_table)
		return get_pair(wanted, name, &gpt, pair);
	note("passed over: %s", error_text());
	return 0;
}

/* As TRY of disks_search, or 0 if the disk is nothing for us, or not ready. */
static int search_disk(struct seen *s, const struct disk_wanted *wanted,
	int (*try)(void *context, struct disk_pair *pair), void *context)
{
	struct disk_pair pair = {.disk = FILE_CLOSED};
	bool has_table = false, is_boot = false;
	int r = read_disk(s->name, wanted, &pair, &has_table, &is_boot);
	if (r < 0 && s->looks > 0) {
		disk_pair_free(&pair);
		return 0;
	}
	s->looks = 0;
	seen_boot |= is_boot;
	s->put_off = r == 1 && wanted->has_boot && !seen_boot;
	if (s->put_off) {
		disk_pair_free(&pair);
		return 0;
	}
	buffer_printf(&seen_text, "%s%s%s", seen_text.size ? ", " : "", s->name,
		has_table ? "" : " (no partition table)");
	if (r == 1)
		return try(context, &pair);
	if (r < 0)
		note("passed over: %s", error_text());
	disk_pair_free(&pair);
	return 0;
}

/* Whether NAME of /sys/block is a disk, with something in it. */
static bool is_disk(const char *name)
{
	static const char *const never[] = {
		"ram", "zram", "dm-", "loop", "md", "fd", "nbd"};
	char directory[80];
	if (name[0] == '.' || strlen(name) >= sizeof seen[0].name)
		return false;
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		if (!strncmp(name, never[i], strlen(never[i])))
			return false;
	snprintf(directory, sizeof directory, "/sys/block/%.39s", name);
	return read_number(directory, "size") > 0;
}

unsigned disks_put_off(void)
{
	unsigned n = 0;
	for (size_t i = 0; i < n_seen; i++)
		n += seen[i].put_off;
	return n;
}

static bool look_again(const struct disk_wanted *wanted, struct seen *s)
{
	if (s->put_off)
		return !wanted->has_boot || seen_boot;
	return s->looks && s->looks--;
}

/* NULL for what was looked at before, has no medium, or is no disk. */
static struct seen *next_look(const struct disk_wanted *wanted, const char *name)
{
	char directory[80];
	if (!is_disk(name))
		return NULL;
	snprintf(directory, sizeof directory, "/sys/block/%.39s", name);
	uint64_t sequence = read_number(directory, "diskseq");
	for (size_t i = 0; i < n_seen; i++)
		if (!strcmp(seen[i].name, name) && seen[i].sequence == sequence)
			return look_again(wanted, &seen[i]) ? &seen[i] : NULL;
	if (n_seen == DISKS_MAX)
		return NULL;
	struct seen *s = &seen[n_seen++];
	*s = (struct seen){.sequence = sequence, .looks = LOOKS_MAX};
	strcpy(s->name, name);
	return s;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int disks_search(const struct disk_wanted *wanted,
	int (*try)(void *context, struct disk_pair *pair), void *context)
{
	struct dirent **names = NULL;
	int n = scandir("/sys/block", &names, NULL, by_name);
	int r = n < 0 ? error_errno("/sys/block: cannot list") : 0;
	for (int i = 0; i < n; i++) {
		struct seen *s = r == 0 ? next_look(wanted, names[i]->d_name) : NULL;
		if (s)
			r = search_disk(s, wanted, try, context);
		free(names[i]);
	}
	free(names);
	return r;
}

static int visit_disk(const char *name, disk_visitor *visit, void *context)
{
	AUTO_FILE disk = FILE_CLOSED;
	AUTO_GPT gpt = {0};
	/* One that is not ready yet may be so the next time. */
	return open_disk(name, &disk, &gpt) == 0 ? visit(context, &disk, name, &gpt) : 0;
}

int disks_visit(disk_visitor *visit, void *context)
{
	struct dirent **names = NULL;
	int n = scandir("/sys/block", &names, NULL, by_name);
	int r = n < 0 ? error_errno("/sys/block: cannot list") : 0;
	for (int i = 0; i < n; i++) {
		if (r == 0 && is_disk(names[i]->d_name))
			r = visit_disk(names[i]->d_name, visit, context);
		free(names[i]);
	}
	free(names);
	return r;
}
