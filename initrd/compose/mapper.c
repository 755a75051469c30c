/* SPDX-License-Identifier: MIT */
#include "initrd/compose/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sys/sysmacros.h>
#include <unistd.h>

#include "initrd/compose/ioctl.h"

#define CONTROL "/dev/mapper/control"

/* A table with one target: header, target and parameters in one buffer. */
struct request {
	struct dm_ioctl header;
	struct dm_target_spec target;
	char parameters[4096];
};

/* NAME may be NULL: then the header says by UUID which device is meant. */
static int control(unsigned command, struct request *q, const char *name)
{
	q->header.version[0] = DM_VERSION_MAJOR;
	q->header.data_size = sizeof *q;
	q->header.data_start = offsetof(struct request, target);
	if (name)
		snprintf(q->header.name, sizeof q->header.name, "%s", name);
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = ioctl(fd, (ioctl_number)command, q) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int failed(int r, const char *what, const char *name)
{
	return error_set(STATUS_FAILED, -r, "device-mapper: cannot %s %s: %s", what, name,
		strerror(-r));
}

static int load(const char *name, uint64_t sectors, const char *table)
{
	struct request q = {.header = {.flags = DM_READONLY_FLAG, .target_count = 1}};
	if (strlen(table) >= sizeof q.parameters)
		return error_format("device-mapper: the table is too long");
	q.target.length = sectors;
	q.target.next = 0;
	strcpy(q.target.target_type, "verity");
	strcpy(q.parameters, table);
	int r = control(DM_TABLE_LOAD, &q, name);
	return r < 0 ? failed(r, "set up dm-verity for", name) : 0;
}

static int resume(const char *name)
{
	struct request q = {.header = {.flags = DM_READONLY_FLAG}};
	int r = control(DM_DEV_SUSPEND, &q, name);
	return r < 0 ? failed(r, "start", name) : 0;
}

/* The kernel gives the number in the encoding of dev_t's 32-bit form. */
static void set_node(struct mapper *m, const struct request *q)
{
	unsigned long long dev = q->header.dev;
	snprintf(m->node, sizeof m->node, "/dev/dm-%u",
		(unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)));
}

int mapper_make(struct mapper *m, const char *name, const char *uuid, uint64_t sectors,
	const char *table)
{
	struct request q = {.header = {.flags = DM_READONLY_FLAG}};
	snprintf(m->name, sizeof m->name, "%s", name);
	snprintf(q.header.uuid, sizeof q.header.uuid, "%s", uuid);
	int r = control(DM_DEV_CREATE, &q, name);
	if (r < 0)
		return failed(r, "make", name);
	set_node(m, &q);
	r = load(name, sectors, table);
	if (r == 0)
		r = resume(name);
	if (r < 0) {
		struct request gone = {.header = {.flags = 0}};
		control(DM_DEV_REMOVE, &gone, name);
	}
	return r;
}

int mapper_reload(const struct mapper *m, uint64_t sectors, const char *table)
{
	int r = load(m->name, sectors, table);
	return r < 0 ? r : resume(m->name);
}

int mapper_remove(const struct mapper *m)
{
	struct request q = {.header = {.flags = 0}};
	int r = control(DM_DEV_REMOVE, &q, m->name);
	return r < 0 ? failed(r, "remove", m->name) : 0;
}

int mapper_release(const struct mapper *m)
{
	struct request q = {.header = {.flags = DM_DEFERRED_REMOVE}};
	int r = control(DM_DEV_REMOVE, &q, m->name);
	return r < 0 ? failed(r, "release", m->name) : 0;
}

/* The one line that is the table: whether it is verity over this root hash. */
static bool is_verity(const struct request *q, const char *root_hash)
{
	if (q->header.target_count != 1 ||
		q->header.data_start != offsetof(struct request, target) ||
		!memchr(q->parameters, 0, sizeof q->parameters) ||
		strncmp(q->target.target_type, "verity", sizeof q->target.target_type) !=
			0)
		return false;
	/* version data hash data-block hash-block blocks start algorithm ROOT-HASH salt
	 */
	const char *word = q->parameters;
	for (int i = 0; word && i < 8; i++)
		if ((word = strchr(word, ' ')))
			word++;
	size_t length = strlen(root_hash);
	return word && !strncmp(word, root_hash, length) && word[length] == ' ';
}

int mapper_find(struct mapper *m, const char *uuid, const char *root_hash)
{
	struct request q = {.header = {.flags = DM_STATUS_TABLE_FLAG}};
	snprintf(q.header.uuid, sizeof q.header.uuid, "%s", uuid);
	int r = control(DM_TABLE_STATUS, &q, NULL);
	if (r == -ENXIO)
		return 0;
	if (r < 0)
		return failed(r, "look for", uuid);
	if (!(q.header.flags & DM_READONLY_FLAG) || q.header.flags & DM_SUSPEND_FLAG ||
		!is_verity(&q, root_hash))
		return 0;
	snprintf(m->name, sizeof m->name, "%.63s", q.header.name);
	set_node(m, &q);
	return 1;
}

/* One device of the list; the next one is `next` bytes on, 0 behind the last. */
static unsigned reap_one(const char *name, const char *prefix)
{
	struct request q = {.header = {.flags = 0}}, status = q;
	if (strncmp(name, prefix, strlen(prefix)) != 0 ||
		control(DM_DEV_STATUS, &status, name) < 0 || status.header.open_count)
		return 0;
	return control(DM_DEV_REMOVE, &q, name) == 0;
}

int mapper_reap(const char *prefix, unsigned *n)
{
	/* Names of 128 bytes each: more than we ever make. Those beyond wait. */
	static struct {
		struct request q;
		char more[65536];
	} list;
	memset(&list, 0, sizeof list);
	*n = 0;
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0; /* no device-mapper, nothing left of it */
	list.q.header.version[0] = DM_VERSION_MAJOR;
	list.q.header.data_size = sizeof list;
	list.q.header.data_start = offsetof(struct request, target);
	int r = ioctl(fd, (ioctl_number)DM_LIST_DEVICES, &list.q) < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		return failed(r, "list", "devices");
	if (list.q.header.flags & DM_BUFFER_FULL_FLAG)
		return 0;
	size_t at = list.q.header.data_start;
	struct dm_name_list d;
	const char *bytes = (const char *)&list;
	do {
		if (at + sizeof d >= sizeof list)
			break;
		memcpy(&d, bytes + at, sizeof d);
		if (d.dev)
			*n += reap_one(
				bytes + at + offsetof(struct dm_name_list, name), prefix);
		at += d.next;
	} while (d.next);
	return 0;
}
