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
#include "verifier/examine/listing.h"
#include "verifier/examine/part.h"
#include "verifier/examine/safe_mount.h"
#include "verifier/examine/showing.h"
#include "verifier/examine/uncovered.h"

/* Larger files get larger blocks: their digests lie in memory. */
#define LARGE_FILE (UINT64_C(16) << 30)

/* How often the trip-wires are looked at while COMMAND runs. */
#define WATCH_MS 5

/* How many places of changed blocks a report lists. */
#define RANGES_SHOWN 100

#define IMAGE   0
#define JOURNAL 1

struct run {
	const struct examine_options *o;
	struct examination *e;
	struct report *report;
	struct evidence evidence[EXAMINED_FILES];
	struct memory leaves[EXAMINED_FILES];
	struct memory copies[EXAMINED_FILES];
	struct part parts[EXAMINED_FILES];
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
	return r->evidence[i].record ? &r->evidence[i] : NULL;
}

/* ---- trip-wires ----------------------------------------------------------------------
 */

/* Opened for writing while it was examined: told once, as soon as it is seen. */
static void watch_leases(struct run *r)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++) {
		struct evidence *v = evidence_at(r, i);
		if (!v || !evidence_lease_broken(v))
			continue;
		const struct place place = evidence_place(v);
		report_fault(r->report, STATUS_CHANGED, "lease", &place,
			"somebody opened it for writing while it was examined");
		progress_note("%s: somebody opened it for writing", v->file.name);
	}
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

/* ---- before: hash, and make the block digests ----------------------------------------
 */

static uint32_t block_size_for(uint64_t size)
{
	return size > LARGE_FILE ? PASS_BLOCK_MAX : PASS_BLOCK_MIN;
}

static bool shall_copy(const struct run *r, size_t i)
{
	uint64_t size = r->parts[i].size;
	if (r->o->no_hash_before)
		return false;
	return r->o->seal || (size <= r->o->seal_limit && size < memory_room() / 4);
}

static int first_pass(struct run *r, size_t i)
{
	struct evidence *v = &r->evidence[i];
	struct examined_file *record = v->record;
	struct pass pass = {.file = &v->file,
		.digests = &record->first,
		.interop = r->o->interop,
		.piece_size = r->o->piece_size,
		.block_size = block_size_for(v->file.size),
		.leaves = &r->leaves[i],
		.copy_offset = r->parts[i].offset,
		.tick = tick_first,
		.context = r};
	uint64_t size = pass_blocks(v->file.size, pass.block_size) * PASS_DIGEST;
	int e = memory_make(&r->leaves[i], "cairn-digests", size);
	record->first.block_size = pass.block_size;
	if (e < 0 || r->o->no_hash_before)
		return e;
	if (shall_copy(r, i)) {
		e = memory_make(&r->copies[i], "cairn-copy", r->parts[i].size);
		pass.copy = &r->copies[i];
	}
	progress_begin("hashing", v->file.size);
	if (e == 0)
		e = pass_run(&pass);
	progress_end();
	if (e == 0)
		e = memory_seal(&r->leaves[i]);
	return e == 0 && pass.copy ? memory_seal(&r->copies[i]) : e;
}

/* ---- show: views, loop devices, mounts -----------------------------------------------
 */

static int add_view(struct run *r, unsigned which, size_t i, bool writable)
{
	const struct view_source source = {.file = &r->evidence[i].file,
		.offset = r->parts[i].offset,
		.size = r->parts[i].size,
		.block_size = r->evidence[i].record->first.block_size,
		.leaves = &r->leaves[i],
		.first_read = r->o->no_hash_before,
		.writable = writable};
	return showing_add(&r->showing, which, &r->evidence[i], &source,
		r->copies[i].fd > 0 ? &r->copies[i] : NULL);
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
		e = showing_replay(
			&r->showing, r->parts[IMAGE].type, attributes(r->o), &options);
	if (e == 0 && !(r->e->replay_options = buffer_steal_text(&options)))
		return -ENOMEM;
	return e < 0 ? error_context(e, "the replayed copy") : 0;
}

/* Loop devices show whole sectors only. */
static void report_tail(struct run *r)
{
	const struct part *p = &r->parts[IMAGE];
	struct place place = evidence_place(&r->evidence[IMAGE]);
	place.size = p->size % 512;
	place.offset = p->offset + p->size - place.size;
	if (place.size)
		report_uncovered(r->report, "served", &place,
			"less than a sector: hashed, but not shown to the command");
}

static int show(struct run *r)
{
	BUFFER options = {0};
	const char *type = r->parts[IMAGE].type;
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
	if (e == 0)
		e = showing_mount(
			&r->showing, type, attributes(r->o), r->report, &options);
	if (e < 0)
		return e;
	if (!(r->e->mount_options = buffer_steal_text(&options)))
		return -ENOMEM;
	const struct place place = evidence_place(&r->evidence[IMAGE]);
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
	return listing_run(&l, r->showing.mount);
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
	int e = confine_start(&options, &c);
	while (e == 0 && !confine_wait(&c, WATCH_MS, traces->polls, traces->n_rings)) {
		watch_leases(r);
		showing_watch(&r->showing, r->report);
		e = interrupt_check();
	}
	if (e == 0)
		e = confine_status(&c, &r->e->command_status);
	r->e->ran = e == 0;
	confine_kill(&c);
	return e;
}

/* ---- after: compare, and hash again --------------------------------------------------
 */

static void report_changed_blocks(struct run *r, size_t i, struct ranges *changed)
{
	struct place place = evidence_place(&r->evidence[i]);
	uint32_t block_size = r->evidence[i].record->first.block_size;
	ranges_sort(changed);
	for (size_t n = 0; n < changed->n_items && n < RANGES_SHOWN; n++) {
		place.block = changed->items[n].first;
		place.n_blocks = changed->items[n].count;
		place.offset = place.block * block_size;
		place.size = place.n_blocks * block_size;
		report_fault(r->report, STATUS_CHANGED, "hash", &place,
			"is not what it was in the beginning");
	}
	place = evidence_place(&r->evidence[i]);
	if (changed->n_items > RANGES_SHOWN)
		report_fault(r->report, STATUS_CHANGED, "hash", &place,
			"%ju blocks are not what they were in the beginning; the first "
			"%d places are listed",
			(uintmax_t)changed->blocks, RANGES_SHOWN);
}

static void compare_digests(struct run *r, size_t i, struct ranges *changed)
{
	const struct examined_file *f = r->evidence[i].record;
	const struct place place = evidence_place(&r->evidence[i]);
	if (changed->blocks)
		report_changed_blocks(r, i, changed);
	else if (!f->first.done)
		report_uncovered(r->report, "hash", &place,
			"was not hashed before, as asked: only what was read is known to "
			"be as it was");
	else if (memcmp(f->first.sha256, f->last.sha256, 32) != 0)
		report_fault(r->report, STATUS_CHANGED, "hash", &place,
			"has another SHA-256 than in the beginning");
	else
		report_good(r->report, "hash", &place,
			"has the SHA-256 it had in the beginning");
}

static void last_pass(struct run *r, size_t i)
{
	struct evidence *v = &r->evidence[i];
	const struct place place = evidence_place(v);
	struct file_state state;
	struct file now = v->file;
	if (evidence_state(v, &state) == 0)
		now.size = state.size;
	struct pass pass = {.file = &now,
		.digests = &v->record->last,
		.interop = r->o->interop,
		.piece_size = r->o->piece_size,
		.block_size = v->record->first.block_size,
		/* All of it is hashed, but of another size there are no block digests. */
		.leaves = now.size == v->file.size && r->leaves[i].data ? &r->leaves[i]
									: NULL,
		.compare = true,
		.tick = tick_last,
		.context = r};
	progress_begin("hashing again", now.size);
	int e = pass_run(&pass);
	progress_end();
	if (e < 0)
		report_error(r->report, "hash", &place, v->file.name);
	else
		compare_digests(r, i, &pass.changed);
	ranges_free(&pass.changed);
}

static void compare_all(struct run *r)
{
	for (size_t i = 0; i < EXAMINED_FILES; i++) {
		struct evidence *v = evidence_at(r, i);
		if (!v || v->file.fd < 0)
			continue;
		last_pass(r, i);
		watch_leases(r);
		evidence_compare(v, r->report);
	}
}

/* ---- the whole -----------------------------------------------------------------------
 */

static int open_all(struct run *r)
{
	struct examination *e = r->e;
	e->files[IMAGE].role = "image";
	e->files[JOURNAL].role = "journal";
	int s = evidence_open(
		&r->evidence[IMAGE], r->o->image, &e->files[IMAGE], r->report);
	if (s == 0 && r->o->journal)
		s = evidence_open(&r->evidence[JOURNAL], r->o->journal,
			&e->files[JOURNAL], r->report);
	if (s == 0)
		s = part_survey(&r->evidence[IMAGE].file, e);
	if (s == 0)
		s = part_find(
			&r->evidence[IMAGE].file, r->o->partition, &r->parts[IMAGE]);
	if (s < 0)
		return s;
	r->parts[JOURNAL].size = r->evidence[JOURNAL].file.size;
	if (r->o->type)
		snprintf(r->parts[IMAGE].type, sizeof r->parts[IMAGE].type, "%s",
			r->o->type);
	snprintf(e->file_system, sizeof e->file_system, "%s", r->parts[IMAGE].type);
	e->partition = r->parts[IMAGE].number;
	return 0;
}

/* From the first pass to the end of COMMAND. What fails is reported; all else goes on. */
static int work(struct run *r)
{
	int e = 0;
	for (size_t i = 0; i < EXAMINED_FILES && e == 0; i++)
		if (evidence_at(r, i))
			e = first_pass(r, i);
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
	uncovered_areas(r->e, r->evidence[IMAGE].file.size);
}

int examine_run(const struct examine_options *o, struct examination *e)
{
	struct run r = {.o = o, .e = e, .report = &e->report};
	for (size_t i = 0; i < EXAMINED_FILES; i++) {
		r.evidence[i] = EVIDENCE_CLOSED;
		r.leaves[i] = r.copies[i] = MEMORY_NONE;
	}
	e->argv = o->argv;
	e->custody = o->custody;
	e->invocation = o->invocation;
	e->uid = getuid();
	if (uname(&e->kernel) < 0)
		e->kernel = (struct utsname){0};
	clock_gettime(CLOCK_REALTIME, &e->start);
	int s = safe_mount_check_privileges();
	if (s < 0)
		return s;
	showing_start(&r.showing);
	examine_files(&r);
	clock_gettime(CLOCK_REALTIME, &e->end);
	showing_end(&r.showing);
	showing_free(&r.showing);
	for (size_t i = 0; i < EXAMINED_FILES; i++) {
		memory_free(&r.leaves[i]);
		memory_free(&r.copies[i]);
		evidence_close(&r.evidence[i]);
	}
	return 0;
}
