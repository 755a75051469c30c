/* SPDX-License-Identifier: MIT */
#include "initrd/compose/standing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initrd/compose/inside.h"
#include "initrd/compose/mountinfo.h"
#include "initrd/compose/mounts.h"

#define STACK_MAX 4096

static bool is_ours(const struct mountinfo_line *m)
{
	return !strcmp(m->type, "overlay") && !strcmp(m->source, OVERLAY_SOURCE);
}

void standing_free(struct standing *s)
{
	for (size_t i = 0; i < s->n_submounts; i++) {
		free(s->submounts[i].path);
		if (s->submounts[i].fd >= 0)
			close(s->submounts[i].fd);
	}
	free(s->submounts);
	buffer_free(&s->manifest);
	*s = (struct standing){.exists = false};
}

/* The directory's name as the kernel has it; false if there is none. */
static bool canonical(struct standing *s, const char *root, enum hierarchy h)
{
	char path[PATH_MAX], self[32];
	snprintf(path, sizeof path, "%s/%s", root, hierarchy_name(h));
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(self, s->path, sizeof s->path - 1);
	close(fd);
	if (n <= 0)
		return false;
	s->path[n] = 0;
	return true;
}

/* The list of the overlay that is seen at the moment. */
static int read_manifest(
	const struct standing *s, struct buffer *text, struct manifest *m)
{
	int dir = open(s->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_errno("%s: cannot open", s->path);
	text->size = 0;
	int r = inside_slurp(dir, MANIFEST_FILE, MANIFEST_MAX_SIZE, text);
	close(dir);
	return r < 0 ? error_context(r, "%s", s->path)
		     : manifest_parse(m, buffer_span(text), s->path);
}

/*
 * How many of ours are at the top of the stack; something over them is refused. Below
 * them there may be one mount, of the base itself, and that is never an overlay.
 */
static int count_ours(struct standing *s, const struct mountinfo *all)
{
	const struct mountinfo_line *m = mountinfo_top(all, s->path);
	unsigned n_others = 0;
	for (int i = 0; m && !strcmp(m->point, s->path) && i < STACK_MAX; i++) {
		if (!is_ours(m))
			s->foreign |= n_others++ > 0 || !strcmp(m->type, "overlay");
		else if (n_others)
			return error_set(STATUS_FAILED, EBUSY,
				"%s: something else is mounted over the composition",
				s->path);
		else
			s->n_ours++;
		m = m->parent == m->id ? NULL : mountinfo_by_id(all, m->parent);
	}
	return 0;
}

int standing_read(struct standing *s, const char *root, enum hierarchy h)
{
	AUTO_MOUNTINFO all;
	*s = (struct standing){.exists = false};
	int r = mountinfo_read(&all);
	if (r < 0 || !(s->exists = canonical(s, root, h)))
		return r;
	r = count_ours(s, &all);
	if (r == 0 && s->n_ours)
		r = read_manifest(s, &s->manifest, &s->top);
	s->newest = s->top.sequence;
	return r;
}

int standing_read_class(struct standing *s, const char *root, enum extension_class class)
{
	int r = 0;
	*s = (struct standing){.exists = false};
	for (int h = 0; r == 0 && !s->n_ours && h < N_HIERARCHIES; h++) {
		if (!hierarchy_is_of((enum hierarchy)h, class))
			continue;
		standing_free(s);
		r = standing_read(s, root, (enum hierarchy)h);
	}
	return r;
}

int standing_check_base(const struct standing *s)
{
	if (!s->foreign)
		return 0;
	return error_set(STATUS_TRUST, EBUSY,
		"%s: something else is mounted over the base, which alone says whom to "
		"trust (systemd-sysext unmerge?)",
		s->path);
}

static int add_submount(struct standing *s, const char *path)
{
	struct submount *more =
		reallocarray(s->submounts, s->n_submounts + 1, sizeof s->submounts[0]);
	if (!more)
		return error_memory();
	s->submounts = more;
	int fd = mount_clone(AT_FDCWD, path, true);
	if (fd < 0)
		return fd;
	char *relative = strdup(path + strlen(s->path) + 1);
	s->submounts[s->n_submounts++] = (struct submount){relative, fd};
	return relative ? 0 : error_memory();
}

int standing_copy_submounts(struct standing *s)
{
	AUTO_MOUNTINFO all = {.n = 0};
	size_t length = strlen(s->path);
	int dir = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno("%s: cannot open", s->path);
	int id = mountinfo_id_of(dir), r = mountinfo_read(&all);
	close(dir);
	/* What is mounted deeper comes with the one that it is mounted on. */
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (all.items[i].parent == id &&
			!strncmp(all.items[i].point, s->path, length) &&
			all.items[i].point[length] == '/')
			r = add_submount(s, all.items[i].point);
	return r;
}

int standing_reveal(struct standing *s)
{
	BUFFER text = {0};
	struct manifest m;
	unsigned newest = s->top.sequence;
	int r = 0;
	for (unsigned i = 0; r == 0 && i < s->n_ours; i++) {
		r = read_manifest(s, &text, &m);
		if (r == 0 && m.sequence > newest) {
			newest = m.sequence;
			s->n_unfinished = i;
		}
		if (r == 0)
			r = mount_detach(s->path);
	}
	s->newest = newest;
	return r;
}
