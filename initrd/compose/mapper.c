/* SPDX-License-Identifier: MIT */
#include "initrd/compose/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
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

static int control(unsigned command, struct request *q, const char *name)
{
	q->header.version[0] = DM_VERSION_MAJOR;
	q->header.data_size = sizeof *q;
	q->header.data_start = offsetof(struct request, target);
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

int mapper_make(struct mapper *m, const char *name, const char *uuid, uint64_t sectors,
	const char *table)
{
	struct request q = {.header = {.flags = DM_READONLY_FLAG}};
	snprintf(m->name, sizeof m->name, "%s", name);
	snprintf(q.header.uuid, sizeof q.header.uuid, "%s", uuid);
	int r = control(DM_DEV_CREATE, &q, name);
	if (r < 0)
		return failed(r, "make", name);
	/* The kernel gives the number in the encoding of dev_t's 32-bit form. */
	unsigned long long dev = q.header.dev;
	snprintf(m->node, sizeof m->node, "/dev/dm-%u",
		(unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)));
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
