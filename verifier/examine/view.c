/* SPDX-License-Identifier: MIT */
#include "verifier/examine/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verifier/examine/fuse_file.h"
#include "verifier/examine/servant.h"

/* In the child: keeps nothing open but what serving needs, and dies with its parent. */
static int become_server(struct view_server *s, pid_t parent)
{
	int keep[] = {s->source.file->fd, s->device, s->overlay};
	return servant_become(parent, "cairn-view", keep, sizeof keep / sizeof keep[0])
		       ? view_server_run(s)
		       : 1;
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
	int mount = fuse_file_mount(s->device, s->source.writable);
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
	if (r < 0) {
		close(mount);
		return r;
	}
	v->fd = fuse_file_open(mount, s->source.writable);
	return v->fd < 0 ? v->fd : 0;
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
