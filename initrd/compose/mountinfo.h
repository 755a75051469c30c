/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_MOUNTINFO_H
#define CAIRN_COMPOSE_MOUNTINFO_H

#include <stdbool.h>

#include "core/buffer.h"

/* The mounts of this process's namespace, as /proc/self/mountinfo lists them. */
struct mountinfo_line {
	int id, parent;
	const char *point, *type, *source; /* unescaped; they live as long as the table */
};

struct mountinfo {
	struct mountinfo_line *items;
	size_t n;
	struct buffer text; /* owned */
};
#define AUTO_MOUNTINFO __attribute__((cleanup(mountinfo_free))) struct mountinfo

/* M need not be initialized, and must be freed in any case. */
int mountinfo_read(struct mountinfo *m);
void mountinfo_free(struct mountinfo *m);

/* The mount at exactly PATH (canonical) that hides the others there, or NULL. */
const struct mountinfo_line *mountinfo_top(const struct mountinfo *m, const char *path);

/* The mount with that id, or NULL. */
const struct mountinfo_line *mountinfo_by_id(const struct mountinfo *m, int id);

/* The id of the mount that the descriptor FD is in; -1 if it cannot be told. */
int mountinfo_id_of(int fd);

#endif
