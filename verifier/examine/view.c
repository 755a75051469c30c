/* SPDX-License-Identifier: MIT */
#include "verifier/examine/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above all descriptors that we use ourselves. */
#define SERVER_FDS 200

/* A FUSE file system whose root is one regular file; it has no place in any name space.
 */
static int make_mount(int device, bool writable)
{
	char fd[16];
	const char *mode = writable ? "100600" : "100400";
	snprintf(fd, sizeof fd, "%d", device);
	int fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs < 0)
		return error_errno("the kernel has no FUSE, which images that do not fit "
				   "into memory need");
	int mount = -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "cairn", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "fd", fd, 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", mode, 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) == 0 &&
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(
			fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	int saved = errno;
	close(fs);
	errno = saved;
	return mount < 0 ? error_errno("cannot mount a verifying file") : mount;
}

/* In the child: keeps nothing open but what serving needs, and dies with its parent. */
static int become_server(struct view_server *s, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1;
	prctl(PR_SET_NAME, "cairn-view");
	/* The terminal's signals are for the examiner, who ends us when all is done. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	struct file evidence = *s->source.file;
	evidence.fd = fcntl(evidence.fd, F_DUPFD_CLOEXEC, SERVER_FDS);
	s->device = fcntl(s->device, F_DUPFD_CLOEXEC, SERVER_FDS + 1);
	s->overlay =
		s->overlay < 0 ? -1 : fcntl(s->overlay, F_DUPFD_CLOEXEC, SERVER_FDS + 2);
	if (evidence.fd != SERVER_FDS || s->device != SERVER_FDS + 1)
		return 1;
	close_range(3, SERVER_FDS - 1, 0);
	close_range(SERVER_FDS + 3, ~0U, 0);
	s->source.file = &evidence;
	return view_server_run(s);
}

static int prepare(struct view_server *s, struct view *v)
{
	v->counts = mmap(NULL, sizeof *v->counts, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->counts == MAP_FAILED) {
		v->counts = NULL;
		return error_memory();
	}
	s->counts = v->counts;
	if (s->source.writable) {
		s->overlay = memfd_create("cairn-overlay", MFD_CLOEXEC);
		s->written = calloc(pass_blocks(s->source.size, PASS_BLOCK_MIN), 1);
		if (s->overlay < 0 || !s->written ||
			ftruncate(s->overlay, (off_t)s->source.size) < 0)
			return error_memory();
	}
	s->device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	return s->device < 0 ? error_errno("/dev/fuse: cannot open") : 0;
}

static int start(struct view_server *s, struct view *v)
{
	int mount = make_mount(s->device, s->source.writable);
	if (mount < 0)
		return mount;
	pid_t parent = getpid();
	v->server = fork();
	if (v->server == 0)
		_exit(become_server(s, parent));
	int r = v->server < 0 ? error_errno("cannot fork") : 0;
	if (v->server < 0)
		v->server = 0;
	/* Without our copy the connection ends with the server, whatever happens. */
	close(s->device);
	s->device = -1;
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", mount);
	if (r == 0) {
		v->fd = open(path, (s->source.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (v->fd < 0)
			r = error_errno("cannot open a verifying file");
	}
	close(mount);
	return r;
}

int view_serve(struct view *v, const struct view_source *source)
{
	struct view_server s = {.source = *source, .device = -1, .overlay = -1};
	*v = VIEW_CLOSED;
	v->kind = source->first_read ? VIEW_FIRST_READ : VIEW_VERIFIED;
	int r = prepare(&s, v);
	if (r == 0)
		r = start(&s, v);
	if (s.device >= 0)
		close(s.device);
	if (s.overlay >= 0)
		close(s.overlay);
	free(s.written);
	return r;
}

int view_of_memory(struct view *v, const struct memory *memory)
{
	char path[32];
	*v = VIEW_CLOSED;
	v->kind = VIEW_SEALED;
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory->fd);
	v->fd = open(path, O_RDONLY | O_CLOEXEC);
	return v->fd < 0 ? error_errno("cannot open sealed memory") : 0;
}

void view_close(struct view *v)
{
	if (v->fd > 0)
		close(v->fd);
	if (v->server > 0) {
		kill(v->server, SIGKILL);
		while (waitpid(v->server, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (v->counts)
		munmap(v->counts, sizeof *v->counts);
	*v = VIEW_CLOSED;
}
