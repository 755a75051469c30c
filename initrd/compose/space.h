/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_COMPOSE_SPACE_H
#define CAIRN_COMPOSE_SPACE_H

#include "core/error.h"

/*
 * A mount namespace of our own, in which a composition is put together: nobody sees it
 * half done, and a kill leaves nothing of it. Only for a process with one thread.
 */
struct space {
	int outside; /* the namespace we came from; owned */
	int root, cwd;
	int inside, inner_root; /* ours, while we are out of it for a moment; owned */
};

#define SPACE_NONE ((struct space){-1, -1, -1, -1, -1})
#define AUTO_SPACE __attribute__((cleanup(space_leave_quietly))) struct space

/* Enters a copy of the current namespace, whose mounts do not propagate. */
int space_enter(struct space *s);

/* Goes out for a moment, and in again: what is mounted there stays. */
int space_pause(struct space *s);
int space_resume(struct space *s);

/* Goes back, to the same root and working directory; the copy and its mounts end. */
int space_leave(struct space *s);

/* The same for cleaning up: does nothing if we are out already. */
void space_leave_quietly(struct space *s);

#endif
