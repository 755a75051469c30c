/* SPDX-License-Identifier: MIT */
#include "initrd/compose/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initrd/compose/inside.h"
#include "initrd/compose/mountinfo.h"
#include "initrd/compose/mounts.h"

/* What a killed run left at the top is older than what is just below it. */
static int finish(struct standing *s)
{
	int r = 0;
	for (; r == 0 && s->n_unfinished > 0; s->n_unfinished--, s->n_ours--)
		r = mount_detach(s->path);
	return r;
}

/* The new overlay must be where the next step will show it: below the one seen. */
static int check_beneath(const struct standing *s, int tree)
{
	AUTO_MOUNTINFO all;
	int r = mountinfo_read(&all), id = mountinfo_id_of(tree);
	const struct mountinfo_line *top = r < 0 ? NULL : mountinfo_top(&all, s->path);
	if (r == 0 && (!top || top->id == id || top->parent != id))
		r = error_set(STATUS_FAILED, EIO,
			"%s: the new composition is not beneath the old one", s->path);
	return r;
}

static int put_in_place(struct change *c)
{
	struct standing *s = c->now;
	if (c->tree < 0)
		return 0;
	if (!s->n_ours)
		return mount_attach(c->tree, s->path);
	int r = mount_beneath(c->tree, s->path);
	if (r == 0)
		return check_beneath(s, c->tree);
	if (r != -EINVAL)
		return r;
	/* Before 6.5: just as atomic, but the old one cannot be reached any more. */
	c->on_top = true;
	return mount_attach(c->tree, s->path);
}

static int take_away(struct change *c)
{
	int r = 0;
	if (c->tree < 0)
		return switch_to_base(c->now);
	if (c->now->n_ours && !c->on_top)
		r = mount_detach(c->now->path);
	return r;
}

/*
 * Takes back what was attached at the top. What is beneath an old one cannot be reached:
 * the next run finds it, and finishes.
 */
static void take_back(struct change *c)
{
	struct error_record why;
	error_take(&why);
	if (c->tree >= 0 && (c->on_top || !c->now->n_ours))
		mount_detach(c->now->path);
	error_put(&why);
}

int switch_all(struct change *changes, size_t n)
{
	int r = 0;
	size_t placed = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = finish(changes[i].now);
	for (; r == 0 && placed < n; placed++)
		r = put_in_place(&changes[placed]);
	/* The last one that was tried is not in place. */
	for (; r < 0 && placed > 1; placed--)
		take_back(&changes[placed - 2]);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_away(&changes[i]);
	return r;
}

static int attach_again(const struct standing *s, const struct submount *m,
	const struct mountinfo *all, int base)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s", s->path, m->path) >= (int)sizeof path ||
		mountinfo_top(all, path))
		return 0;
	int target = inside_open(base, m->path, O_PATH);
	int r = target < 0
			? error_set(STATUS_FAILED, -target,
				  "%s: was mounted, and has no place in the base", path)
			: mount_attach_to(m->fd, target);
	if (target >= 0)
		close(target);
	return r;
}

int switch_to_base(struct standing *s)
{
	AUTO_MOUNTINFO all = {.n = 0};
	int r = 0;
	if (!s->n_ours)
		return 0;
	for (; r == 0 && s->n_ours > 0; s->n_ours--)
		r = mount_detach(s->path);
	if (r == 0)
		r = mountinfo_read(&all);
	int base = r < 0 ? -1 : open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && base < 0)
		r = error_errno("%s: cannot open the base", s->path);
	for (size_t i = 0; r == 0 && i < s->n_submounts; i++)
		r = attach_again(s, &s->submounts[i], &all, base);
	if (base >= 0)
		close(base);
	return r;
}
