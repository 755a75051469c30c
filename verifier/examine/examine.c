/* SPDX-License-Identifier: MIT */
#include "verifier/examine/examine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/interrupt.h"
#include "core/progress.h"
#include "verifier/examine/confine.h"
#include "verifier/examine/container.h"
#include "verifier/examine/deleted.h"
#include "verifier/examine/events.h"
#include "verifier/examine/listing.h"
#include "verifier/examine/safe_mount.h"
#include "verifier/examine/showing.h"
#include "verifier/examine/tree_check.h"
#include "verifier/examine/uncovered.h"

/* How often the trip-wires are looked at while COMMAND runs. */
#define WATCH_MS 5

#define IMAGE   0
#define JOURNAL 1

struct run {
	const struct examine_options *o;
	struct examination *e;
	struct report *report;
	struct exhibit exhibits[EXAMINED_FILES];
	struct container container; /* that the image is in, if it is in one */
	struct showing showing;
};

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct evidence *evidence_at(struct run *r, size_t i)
{
	struct evidence *v = &r->exhibits[i].evidence;
	return v->record ? v : NULL;
}

/* ---- trip-wires ----------------------------------------------------------------------
 */

/* Opened for writing while it was examined: told once, as soon as it is seen. */
static void watch_lease(struct run *r, struct evidence *v)
{
	if (!v || !evidence_lease_broken(v))
		return;
	const struct place place = evidence_place(v);
	report_fault(r->report, STATUS_CHANGED, "lease", &place,
		"somebody opened it for writing while it was examined");
	progress_note("%s: somebody opened it for writing", v->file.name);
}

static void watch_leases(struct run *r)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		watch_lease(r, evidence_at(r, i));
	for (size_t i = 0; i < r->container.n_segments; i++)
		watch_lease(r, &r->container.segments[i].evidence);
}

/* Between pieces of the first pass: a writer ends it all. */
static int tick_first(void *context)
{
	struct run *r = context;
	watch_leases(r);
	return r->report->status == STATUS_CHANGED
		       ? error_set(STATUS_CHANGED, EBUSY, "%s: is being written to",
				 r->o->image)
		       : 0;
}

static int tick_last(void *context)
{
	watch_leases(context);
	return 0;
}

/* ---- show: views, loop devices, mounts -----------------------------------------------
 */

static int add_view(struct run *r, unsigned which, size_t i, bool writable)
{
	struct exhibit *x = &r->exhibits[i];
	const struct view_source source = {.file = &x->evidence.file,
		.offset = x->part.offset,
		.size = x->part.size,
		.block_size = x->evidence.record->first.block_size,
		.leaves = &x->leaves,
		.first_read = r->o->no_hash_before,
		.writable = writable};
	return showing_add(&r->showing, which, &x->evidence, &source,
		x->copy.fd > 0 ? &x->copy : NULL);
}

static uint64_t attributes(const struct examine_options *o)
{
	return (uint64_t)MOUNT_ATTR_RDONLY | (o->exec ? 0 : MOUNT_ATTR_NOEXEC) |
	       (o->suid ? 0 : MOUNT_ATTR_NOSUID) | (o->dev ? 0 : MOUNT_ATTR_NODEV);
}

static int show_replayed(struct run *r)
{
	BUFFER options = {0};
	int e = add_view(r, SHOWN_IMAGE_COPY, IMAGE, true);
	if (e == 0 && evidence_at(r, JOURNAL))
		e = add_view(r, SHOWN_JOURNAL_COPY, JOURNAL, true);
	if (e == 0)
		e = showing_replay(&r->showing, r->exhibits[IMAGE].part.type,
			attributes(r->o), &options);
	if (e == 0 && !(r->e->replay_options = buffer_steal_text(&options)))
		return -ENOMEM;
	return e < 0 ? error_context(e, "the replayed copy") : 0;
}

/* Loop devices show whole sectors only. */
static void report_tail(struct run *r)
{
	const struct part *p = &r->exhibits[IMAGE].part;
	struct place place = evidence_place(&r->exhibits[IMAGE].evidence);
	place.size = p->size % 512;
	place.offset = p->offset + p->size - place.size;
	if (place.size)
		report_uncovered(r->report, "served", &place,
			"less than a sector: hashed, but not shown to the command");
}

static int show(struct run *r)
{
	BUFFER options = {0};
	const char *type = r->exhibits[IMAGE].part.type;
	if (!safe_mount_knows(type) && !*type)
		return error_format(
			"%s: not examined: nothing that is known is in it", r->o->image);
	if (!safe_mount_knows(type))
		return error_format("%s: not examined: %s is not a file system that can "
				    "be mounted safely",
			r->o->image, type);
	report_tail(r);
	showing_listen(&r->showing, r->report);
	int e = add_view(r, SHOWN_IMAGE, IMAGE, false);
	if (e == 0 && evidence_at(r, JOURNAL))
		e = add_view(r, SHOWN_JOURNAL, JOURNAL, false);
	events_shown(r->e);
	if (e == 0)
		e = showing_mount(
			&r->showing, type, attributes(r->o), r->report, &options);
	if (e < 0)
		return e;
	if (!(r->e->mount_options = buffer_steal_text(&options)))
		return -ENOMEM;
	const struct place place = evidence_place(&r->exhibits[IMAGE].evidence);
	report_good(r->report, "mount", &place, "mounted as %s with %s", type,
		r->e->mount_options);
	/* A copy that cannot be replayed does not hide the original. */
	if (r->o->replay_copy && show_replayed(r) < 0)
		report_error(r->report, "replay", &place, r->o->image);
	return interrupt_check();
}

/* All files of the mount, read through the same views as COMMAND reads them. */
static int tick_list(void *context)
{
	struct run *r = context;
	watch_leases(r);
	showing_watch(&r->showing, r->report);
	return interrupt_check();
}

static int list_files(struct run *r)
{
	struct listing l = {
		.to = r->o->files, .report = r->report, .tick = tick_list, .context = r};
	const struct part *part = &r->exhibits[IMAGE].part;
	/* The same bytes as the mount has, checked as they are. */
	const struct file shown = {.fd = r->showing.shown[SHOWN_IMAGE].view.fd,
		.size = part->size,
		.name = r->exhibits[IMAGE].evidence.file.name};
	int e = listing_run(&l, r->showing.mount);
	r->e->lists_deleted = deleted_knows(part->type);
	if (e == 0 && r->e->lists_deleted)
		e = deleted_list(&l, &shown);
	else if (e == 0)
		deleted_uncovered(r->report, part->type);
	return e;
}

/* ---- run -----------------------------------------------------------------------------
 */

static int run_command(struct run *r)
{
	const struct confine_options options = {.argv = r->o->argv,
		.dir = r->o->dir,
		.mount = r->showing.mount,
		.both = r->o->replay_copy,
		.replayed = r->showing.replayed,
		.stdout_to_stderr = r->o->stdout_to_stderr};
	const struct traces *traces = &r->showing.traces;
	struct confined c;
	events_run(r->e);
	int e = confine_start(&options, &c);
	while (e == 0 && !confine_wait(&c, WATCH_MS, traces->polls, traces->n_rings)) {
		watch_leases(r);
		showing_watch(&r->showing, r->report);
		e = interrupt_check();
	}
	if (e == 0)
		e = confine_status(&c, &r->e->command_status);
	r->e->ran = e == 0;
	events_ran(r->e);
	confine_kill(&c);
	return e;
}

/* ---- after: compare, and hash again --------------------------------------------------
 */

static void compare(struct run *r, struct exhibit *x)
{
	const struct exhibit_tick tick = {tick_last, r};
	if (!exhibit_is_open(x))
		return;
	exhibit_last_pass(x, r->o, &tick, r->report);
	watch_leases(r);
	evidence_compare(&x->evidence, r->report);
}

static void compare_all(struct run *r)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		if (!r->exhibits[i].evidence.is_served || container_lives(&r->container))
			compare(r, &r->exhibits[i]);
	for (size_t i = 0; i < r->container.n_segments; i++)
		compare(r, &r->container.segments[i]);
	container_compare(&r->container, &r->e->files[IMAGE], r->e);
}

/* ---- the whole -----------------------------------------------------------------------
 */

static int open_image(struct run *r)
{
	AUTO_SEGMENTS segments = {0};
	enum container_kind kind = CONTAINER_NONE;
	struct exhibit *x = &r->exhibits[IMAGE];
	struct examined_file *record = &r->e->files[IMAGE];
	int s = r->o->single ? 0 : container_find(r->o->image, &kind, &segments);
	if (s < 0 || kind == CONTAINER_NONE)
		return s < 0 ? s
			     : evidence_open(
				       &x->evidence, r->o->image, record, r->report);
	s = container_open(&r->container, kind, &segments, &x->evidence, record, r->e);
	/* What an EWF container stores is of these kinds. */
	x->interop = r->e->acquisition.has_md5 || r->e->acquisition.has_sha1;
	return s;
}

static int open_all(struct run *r)
{
	struct examination *e = r->e;
	e->files[IMAGE].role = "image";
	e->files[JOURNAL].role = "journal";
	int s = open_image(r);
	if (s == 0 && r->o->journal)
		s = evidence_open(&r->exhibits[JOURNAL].evidence, r->o->journal,
			&e->files[JOURNAL], r->report);
	if (s == 0)
		s = part_survey(&r->exhibits[IMAGE].evidence.file, e);
	if (s == 0)
		s = part_find(&r->exhibits[IMAGE].evidence.file, r->o->partition,
			&r->exhibits[IMAGE].part);
	if (s < 0)
		return s;
	r->exhibits[JOURNAL].part.size = r->exhibits[JOURNAL].evidence.file.size;
	if (r->o->type)
		snprintf(r->exhibits[IMAGE].part.type,
			sizeof r->exhibits[IMAGE].part.type, "%s", r->o->type);
	events_opened(e);
	snprintf(e->file_system, sizeof e->file_system, "%s",
		r->exhibits[IMAGE].part.type);
	e->partition = r->exhibits[IMAGE].part.number;
	return 0;
}

static int first_pass(struct run *r, struct exhibit *x, const struct exhibit_tick *tick)
{
	int e = exhibit_first_pass(x, r->o, tick);
	events_hashed(
		&r->e->log, x->evidence.record, &x->evidence.record->first, "before");
	return e;
}

/* What the image itself says its partitions must be: only where there are partitions. */
static int check_trees(struct run *r, const struct exhibit_tick *tick)
{
	const struct examination *e = r->e;
	if (e->n_areas == 0 || e->areas[0].number == 0)
		return 0;
	return tree_check(
		&r->exhibits[IMAGE].evidence.file, r->o->no_hash_before, tick, r->report);
}

/* From the first pass to the end of COMMAND. What fails is reported; all else goes on. */
static int work(struct run *r)
{
	int e = 0;
	const struct exhibit_tick tick = {tick_first, r};
	for (size_t i = 0; i < r->container.n_segments && e == 0; i++)
		e = first_pass(r, &r->container.segments[i], &tick);
	for (size_t i = 0; i < EXAMINED_FILES && e == 0; i++)
		if (evidence_at(r, i))
			e = first_pass(r, &r->exhibits[i], &tick);
	if (e == 0)
		e = check_trees(r, &tick);
	uint64_t before = now_us();
	if (e == 0)
		e = show(r);
	r->e->setup_us += now_us() - before;
	if (e == 0 && r->o->files)
		e = list_files(r);
	if (e == 0)
		e = run_command(r);
	return e;
}

static void tear_down(struct run *r)
{
	uint64_t before = now_us();
	showing_watch(&r->showing, r->report);
	showing_compare(&r->showing, r->report);
	for (size_t i = SHOWN_IMAGE_COPY; i < N_SHOWN; i++)
		if (r->showing.shown[i].view.counts)
			r->e->replay_written +=
				atomic_load(&r->showing.shown[i].view.counts->written);
	showing_end(&r->showing);
	showing_check_ended(&r->showing, r->report);
	r->e->teardown_us = now_us() - before;
}

static void examine_files(struct run *r)
{
	uint64_t before = now_us();
	const struct place place = {.area = "image"};
	int e = open_all(r);
	r->e->setup_us = now_us() - before;
	if (e == 0) {
		e = work(r);
		if (e < 0)
			report_error(r->report, "examine", &place, r->o->image);
		tear_down(r);
		compare_all(r);
		uncovered_limits(r->e);
	} else {
		report_error(r->report, "begin", &place, r->o->image);
	}
	uncovered_areas(r->e, r->exhibits[IMAGE].evidence.file.size);
}

int examine_run(const struct examine_options *o, struct examination *e)
{
	struct run r = {.o = o, .e = e, .report = &e->report};
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		r.exhibits[i] = EXHIBIT_NONE;
	e->argv = o->argv;
	e->custody = o->custody;
	e->invocation = o->invocation;
	e->uid = getuid();
	if (uname(&e->kernel) < 0)
		e->kernel = (struct utsname){0};
	clock_gettime(CLOCK_REALTIME, &e->start);
	events_begin(e);
	int s = safe_mount_check_privileges();
	if (s < 0)
		return s;
	showing_start(&r.showing);
	examine_files(&r);
	clock_gettime(CLOCK_REALTIME, &e->end);
	events_end(e);
	showing_end(&r.showing);
	showing_free(&r.showing);
	for (size_t i = 0; i < EXAMINED_FILES; i++)
		exhibit_close(&r.exhibits[i]);
	container_close(&r.container);
	return 0;
}
