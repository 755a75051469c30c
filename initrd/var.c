/* SPDX-License-Identifier: MIT */
#include "initrd/var.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/dps.h"
#include "core/hex.h"
#include "initrd/compose/mounts.h"
#include "initrd/disks.h"
#include "initrd/fail.h"
#include "initrd/modules.h"

#define POLL_MS   50
#define REPORT_MS 3000 /* between two lines about a wait */

struct search {
	uint8_t type[16];
	struct disk_part part; /* the first that was found */
	unsigned n;
};

static int visit(
	void *context, const struct file *disk, const char *name, const struct gpt *gpt)
{
	struct search *s = context;
	for (size_t i = 0; i < gpt->n_partitions; i++) {
		struct disk_part part;
		if (memcmp(gpt->partitions[i].type, s->type, 16) != 0)
			continue;
		int r = disks_part(disk, name, &gpt->partitions[i], &part);
		if (r < 0)
			return r;
		if (s->n++)
			return error_format("two partitions for /var: %s and %s",
				s->part.name, part.name);
		s->part = part;
	}
	return 0;
}

/* Looks until there is one; drivers are loaded as devices appear. */
static int find(struct search *s, unsigned wait_s)
{
	uint64_t start = now_ms(), reported = 0;
	for (;;) {
		int r = modules_walk();
		s->n = 0;
		if (r >= 0)
			r = disks_visit(visit, s);
		if (r < 0 || s->n)
			return r < 0 ? r : 0;
		uint64_t waited = now_ms() - start;
		if (waited >= (uint64_t)wait_s * 1000)
			return error_set(STATUS_TIMEOUT, ETIMEDOUT,
				"no disk has a partition for /var after %u s; looked at: "
				"%s",
				wait_s, disks_seen());
		if (waited >= reported + REPORT_MS) {
			reported = waited;
			note("waiting for the partition of /var, %ju s of %u",
				(uintmax_t)waited / 1000, wait_s);
		}
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
}

static int mount_partition(struct var *var, const struct policy *p, const char *path)
{
	char node[64];
	struct search s = {.n = 0};
	const struct dps_type *type = dps_by_name("var");
	if (!type || uuid_decode(type->uuid, s.type))
		return error_format("/var: has no type of partition");
	int r = find(&s, p->wait_s);
	if (r < 0)
		return r;
	snprintf(var->partition, sizeof var->partition, "%s", s.part.name);
	snprintf(node, sizeof node, "/dev/%s", s.part.name);
	int fd = mount_make(p->state, node, NULL, MOUNT_NOSUID | MOUNT_NODEV);
	if (fd < 0)
		return fd;
	r = mount_attach(fd, path);
	close(fd);
	return r;
}

int var_mount(struct var *var, const struct policy *p, const char *root)
{
	static const char *const mode[] = {"mode=0755", NULL};
	char path[64];
	*var = (struct var){.partition = ""};
	snprintf(path, sizeof path, "%s/var", root);
	if (!p->state[0])
		return 0;
	if (!policy_keeps_state(p))
		return mount_at("tmpfs", path, mode, MOUNT_NOSUID | MOUNT_NODEV);
	return mount_partition(var, p, path);
}
