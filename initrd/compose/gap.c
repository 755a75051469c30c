/* SPDX-License-Identifier: MIT */
#include "initrd/compose/gap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "initrd/compose/inside.h"
#include "initrd/compose/switch.h"

static bool is_needed(const struct compose_work *w, int h)
{
	const struct standing *s = &w->now[h];
	return work_has(w, h) && s->n_ours && s->top.mode == MODE_MUTABLE &&
	       w->o->mode == MODE_MUTABLE;
}

/* What is mounted below will be on the base for a moment. */
static int check_places(const struct compose_work *w, int h)
{
	const struct standing *s = &w->now[h];
	int base = stage_open_base(&w->stage, hierarchy_name((enum hierarchy)h));
	int r = base < 0 ? base : 0;
	for (size_t i = 0; r == 0 && i < s->n_submounts; i++) {
		int fd = inside_open(base, s->submounts[i].path, O_PATH);
		if (fd < 0)
			r = error_set(STATUS_FAILED, EBUSY,
				"%s/%s: is mounted, and has no place in the base",
				s->path, s->submounts[i].path);
		else
			close(fd);
	}
	if (base >= 0)
		close(base);
	return r;
}

int gap_check(const struct compose_work *w)
{
	int r = 0;
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++) {
		if (!is_needed(w, h))
			continue;
		if (!w->o->allow_gap)
			return error_set(STATUS_DIFFERS, EBUSY,
				"%s: is mutable: it can only be replaced with a moment "
				"in which it is not there (--allow-gap)",
				w->now[h].path);
		r = check_places(w, h);
	}
	return r;
}

/* Outside: the base is seen, and what is mounted below it is copied anew. */
static int take_away(struct compose_work *w, int h)
{
	struct standing *s = &w->now[h];
	int r = switch_to_base(s);
	w->report->changed = true;
	standing_free(s);
	if (r == 0)
		r = standing_read(s, w->o->root, (enum hierarchy)h);
	return r < 0 ? r : standing_copy_submounts(s);
}

int gap_make(struct compose_work *w)
{
	bool any = false;
	for (int h = 0; h < N_HIERARCHIES; h++)
		any |= is_needed(w, h);
	if (!any)
		return 0;
	int r = space_pause(&w->space);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		if (is_needed(w, h))
			r = take_away(w, h);
	return r < 0 ? r : space_resume(&w->space);
}
