/* SPDX-License-Identifier: MIT */
#include "initrd/compose/space.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static void forget(struct space *s)
{
	int *fds[] = {&s->outside, &s->root, &s->cwd, &s->inside, &s->inner_root};
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

int space_enter(struct space *s)
{
	s->outside = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	s->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->outside < 0 || s->root < 0 || s->cwd < 0 || unshare(CLONE_NEWNS) < 0) {
		int r = error_errno("cannot make a mount namespace");
		forget(s);
		return r;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		int r = error_errno("cannot make the mounts private");
		space_leave_quietly(s);
		return r;
	}
	return 0;
}

/* Entering a namespace goes to its root directory; ours may be another. */
static int go(int namespace, int root)
{
	if (setns(namespace, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0)
		return error_errno("cannot change the mount namespace");
	return 0;
}

static int go_out(const struct space *s)
{
	int r = go(s->outside, s->root);
	return r == 0 && fchdir(s->cwd) < 0
		       ? error_errno("cannot leave the mount namespace")
		       : r;
}

int space_pause(struct space *s)
{
	s->inside = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	s->inner_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->inside < 0 || s->inner_root < 0)
		return error_errno("cannot name the mount namespace");
	return go_out(s);
}

int space_resume(struct space *s)
{
	return go(s->inside, s->inner_root);
}

int space_leave(struct space *s)
{
	int r = go_out(s);
	forget(s);
	return r;
}

void space_leave_quietly(struct space *s)
{
	struct error_record why;
	if (s->outside < 0)
		return;
	error_take(&why);
	space_leave(s);
	error_put(&why);
}
