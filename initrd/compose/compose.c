/* SPDX-License-Identifier: MIT */
#include "initrd/compose/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"
#include "initrd/compose/attached.h"
#include "initrd/compose/gap.h"
#include "initrd/compose/inside.h"
#include "initrd/compose/lock.h"
#include "initrd/compose/switch.h"
#include "initrd/compose/work.h"

static void work_free(struct compose_work *w)
{
	if (!w)
		return;
	for (int h = 0; h < N_HIERARCHIES; h++) {
		standing_free(&w->now[h]);
		if (w->trees[h] >= 0)
			close(w->trees[h]);
	}
	search_free(&w->found);
	for (size_t i = 0; i < w->n_ddis; i++)
		ddi_close(&w->ddis[i]);
	anchors_free(&w->anchors);
	stage_close(&w->stage);
	space_leave_quietly(&w->space);
	buffer_free(&w->body);
	file_close(&w->lock);
	/* The real init must not inherit it. */
	if (w->files.rlim_max)
		setrlimit(RLIMIT_NOFILE, &w->files);
	free(w);
}

static struct compose_work *work_new(
	const struct compose_options *o, struct compose_report *report)
{
	struct compose_work *w = calloc(1, sizeof *w);
	if (!w) {
		error_memory();
		return NULL;
	}
	w->o = o;
	w->report = report;
	w->lock = FILE_CLOSED;
	w->space = SPACE_NONE;
	w->stage = STAGE_CLOSED;
	for (int h = 0; h < N_HIERARCHIES; h++)
		w->trees[h] = -1;
	return w;
}

/* ---- what is there --------------------------------------------------------- */

/* Every layer may have a directory open at each depth. */
static void raise_limit(struct compose_work *w)
{
	struct rlimit more;
	if (getrlimit(RLIMIT_NOFILE, &w->files) < 0)
		return;
	more = w->files;
	more.rlim_cur = more.rlim_max;
	setrlimit(RLIMIT_NOFILE, &more);
}

static int start(struct compose_work *w)
{
	raise_limit(w);
	int r = compose_lock(&w->lock, w->o->run, w->o->lock_ms);
	if (r == 0)
		r = mapper_reap(DDI_DEVICE_PREFIX, &w->report->n_reaped);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		r = standing_read(&w->now[h], w->o->root, (enum hierarchy)h);
	return r;
}

static bool is_composed(const struct compose_work *w)
{
	for (int h = 0; h < N_HIERARCHIES; h++)
		if (work_has(w, h) && w->now[h].n_ours)
			return true;
	return false;
}

/* For the report: what was seen until now. */
static int keep_before(struct compose_work *w)
{
	int r = 0;
	for (int h = 0; r == 0 && !w->report->before.size && h < N_HIERARCHIES; h++)
		if (work_has(w, h) && w->now[h].n_ours)
			r = buffer_append(&w->report->before, w->now[h].manifest.data,
				w->now[h].manifest.size);
	return r;
}

/* ---- the base -------------------------------------------------------------- */

static int read_host(struct compose_work *w)
{
	BUFFER text = {0};
	int r = inside_slurp(w->stage.base, "etc/os-release", RELEASE_MAX_SIZE, &text);
	if (r == -ENOENT)
		r = inside_slurp(
			w->stage.base, "usr/lib/os-release", RELEASE_MAX_SIZE, &text);
	return r < 0 ? r
		     : release_parse(&w->host, w->o->class, buffer_span(&text),
			       "os-release of the base");
}

/* From here on the process sees the base, and nobody sees what it mounts. */
static int reveal_base(struct compose_work *w)
{
	int r = 0;
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		if (work_has(w, h) || h == HIERARCHY_USR)
			r = standing_check_base(&w->now[h]);
	if (r == 0)
		r = space_enter(&w->space);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++) {
		if (!w->now[h].exists)
			continue;
		if (work_has(w, h))
			r = standing_copy_submounts(&w->now[h]);
		if (r == 0)
			r = standing_reveal(&w->now[h]);
	}
	if (r == 0)
		r = stage_open(&w->stage, w->o->root, w->o->run);
	if (r == 0)
		r = read_host(w);
	int usr = r < 0 ? r : stage_open_base(&w->stage, "usr");
	if (usr < 0)
		return usr;
	r = anchors_read(&w->anchors, usr);
	close(usr);
	return r;
}

/* By digest: whether what is mounted, everywhere, is what would be mounted. */
static bool is_same(const struct compose_work *w)
{
	const struct standing *first = NULL;
	for (int h = 0; h < N_HIERARCHIES; h++) {
		const struct standing *s = &w->now[h];
		if (!work_has(w, h) || !s->n_ours)
			continue;
		if (s->n_unfinished || s->top.body.size != w->body.size ||
			memcmp(s->top.body.data, w->body.data, w->body.size) != 0 ||
			(first && first->top.sequence != s->top.sequence))
			return false;
		first = s;
	}
	for (int h = 0; first && h < N_HIERARCHIES; h++)
		if (work_has(w, h) && first->top.has[h] != (w->now[h].n_ours > 0))
			return false;
	return first != NULL;
}

/* ---- the new composition --------------------------------------------------- */

static int overlay(struct compose_work *w, enum hierarchy h)
{
	const struct standing *s = &w->now[h];
	if (!s->exists)
		return error_set(STATUS_FAILED, ENOENT,
			"/%s: an extension has it, and the base has no such directory",
			hierarchy_name(h));
	struct overlay o = {.hierarchy = h,
		.mode = w->o->mode,
		.has = w->has[h],
		.n_layers = w->n_ddis,
		.manifest = buffer_span(&w->report->manifest),
		.submounts = s->submounts,
		.n_submounts = s->n_submounts};
	if (o.mode == MODE_MUTABLE && !stage_is_mutable(&w->stage, h))
		o.mode = MODE_IMMUTABLE;
	w->trees[h] = stage_overlay(&w->stage, &o);
	return w->trees[h] < 0 ? w->trees[h] : 0;
}

/* Whether the mode alone makes an overlay of a hierarchy, even if no extension has it. */
static bool has_upper(const struct compose_work *w, enum hierarchy h)
{
	return w->o->mode == MODE_EPHEMERAL
		       ? w->now[h].exists
		       : w->o->mode == MODE_MUTABLE && stage_is_mutable(&w->stage, h);
}

static int make_overlays(struct compose_work *w)
{
	unsigned sequence = 0;
	int r = 0;
	bool any = w->o->mode != MODE_MUTABLE;
	for (int h = 0; h < N_HIERARCHIES; h++) {
		if (!work_has(w, h))
			continue;
		if (w->now[h].newest > sequence)
			sequence = w->now[h].newest;
		if (has_upper(w, (enum hierarchy)h))
			any = w->wanted[h] = true;
	}
	if (!any && !w->n_ddis)
		return 0;
	if (!any)
		return error_set(STATUS_FAILED, ENOENT,
			"mutable: there is no directory for it in "
			"/var/lib/extensions.mutable");
	r = manifest_write(
		&w->report->manifest, sequence + 1, buffer_span(&w->body), w->wanted);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++)
		if (w->wanted[h])
			r = overlay(w, (enum hierarchy)h);
	return r;
}

/* What was mounted must be read as what was vouched for, through the overlay. */
static int check_overlays(const struct compose_work *w)
{
	for (int h = 0; h < N_HIERARCHIES; h++) {
		BUFFER text = {0};
		const struct buffer *wanted = &w->report->manifest;
		if (w->trees[h] < 0)
			continue;
		int r = inside_slurp(
			w->trees[h], MANIFEST_FILE, MANIFEST_MAX_SIZE, &text);
		if (r < 0)
			return r;
		if (text.size != wanted->size ||
			memcmp(text.data, wanted->data, text.size) != 0)
			return error_set(STATUS_FAILED, EIO,
				"/%s: the new overlay does not show its own list",
				hierarchy_name((enum hierarchy)h));
	}
	return 0;
}

static int switch_over(struct compose_work *w)
{
	struct change changes[N_HIERARCHIES];
	bool had[N_HIERARCHIES];
	size_t n = 0;
	for (int h = 0; h < N_HIERARCHIES; h++)
		if (work_has(w, h) && w->now[h].exists) {
			had[n] = w->now[h].n_ours > 0;
			changes[n++] = (struct change){&w->now[h], w->trees[h], false};
		}
	int r = switch_all(changes, n);
	for (size_t i = 0; i < n; i++) {
		w->report->stacked |= changes[i].on_top;
		w->report->changed |= changes[i].tree >= 0 || had[i];
	}
	return r;
}

static int save(const struct compose_work *w)
{
	char name[32];
	snprintf(name, sizeof name, "%s.composition", class_name(w->o->class));
	return compose_save(w->o->run, name, buffer_span(&w->report->manifest));
}

static int compose(struct compose_work *w)
{
	int r = work_mount(w);
	if (r == 0)
		r = work_survey(w);
	if (r == 0)
		r = gap_make(w);
	if (r == 0 && (w->n_ddis || w->o->mode != MODE_IMMUTABLE))
		r = make_overlays(w);
	if (r == 0)
		r = check_overlays(w);
	stage_close(&w->stage);
	if (r == 0)
		r = space_leave(&w->space);
	if (r == 0)
		r = switch_over(w);
	return r < 0 ? r : save(w);
}

static int refresh(struct compose_work *w)
{
	int r = start(w);
	if (r == 0 && w->o->fresh && is_composed(w))
		return error_set(STATUS_FAILED, EBUSY,
			"there is a %s composition already: refresh replaces it",
			class_name(w->o->class));
	if (r == 0)
		r = keep_before(w);
	if (r == 0 && !w->o->bare)
		r = work_search(w);
	if (r == 0)
		r = reveal_base(w);
	if (r == 0 && w->o->attached && !w->o->bare)
		r = attached_search(&w->anchors, w->o->class, &w->found);
	if (r == 0)
		r = work_vouch(w);
	if (r == 0 && !is_same(w)) {
		r = gap_check(w);
		return r < 0 ? r : compose(w);
	}
	return r < 0 ? r
		     : buffer_append(&w->report->manifest, w->report->before.data,
			       w->report->before.size);
}

int compose_refresh(const struct compose_options *o, struct compose_report *report)
{
	*report = (struct compose_report){.changed = false};
	struct compose_work *w = work_new(o, report);
	int r = w ? refresh(w) : -ENOMEM;
	work_free(w);
	return r;
}

static int unmerge(struct compose_work *w)
{
	int r = start(w);
	for (int h = 0; r == 0 && h < N_HIERARCHIES; h++) {
		struct standing *s = &w->now[h];
		if (!work_has(w, h) || !s->n_ours)
			continue;
		r = standing_copy_submounts(s);
		if (r == 0)
			r = switch_to_base(s);
		w->report->changed |= r == 0;
	}
	return r < 0 ? r : save(w);
}

int compose_unmerge(const struct compose_options *o, struct compose_report *report)
{
	*report = (struct compose_report){.changed = false};
	struct compose_work *w = work_new(o, report);
	int r = w ? unmerge(w) : -ENOMEM;
	work_free(w);
	return r;
}

void compose_report_free(struct compose_report *report)
{
	buffer_free(&report->before);
	buffer_free(&report->manifest);
	survey_free(&report->survey);
}
