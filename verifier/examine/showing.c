/* SPDX-License-Identifier: MIT */
#include "verifier/examine/showing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/path.h"
#include "verifier/examine/safe_mount.h"

/* How long a device may take to let go of its file: udev, say, looks at it once more. */
#define DETACH_MS 10000

void showing_start(struct showing *s)
{
	*s = (struct showing){.mount = -1, .replayed = -1};
	s->opens = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (size_t i = 0; i < N_SHOWN; i++) {
		s->shown[i].view = VIEW_CLOSED;
		s->shown[i].loop = LOOP_NONE;
	}
	traces_start(&s->traces);
}

void showing_listen(struct showing *s, struct report *report)
{
	BUFFER who = {0};
	unsigned unknown;
	traces_wait(&s->traces, report);
	/* What happened before there was a device of ours is no matter. */
	traces_look(&s->traces, NULL, 0, &who, &unknown);
}

int showing_add(struct showing *s, unsigned which, struct evidence *evidence,
	const struct view_source *source, const struct memory *memory)
{
	struct shown *w = &s->shown[which];
	w->evidence = evidence;
	w->is_copy = source->writable;
	int r = memory && !w->is_copy ? view_of_memory(&w->view, memory)
				      : view_serve(&w->view, source);
	if (r == 0)
		r = loop_attach(&w->loop, w->view.fd, path_base(evidence->file.name),
			!w->is_copy);
	/* Where that cannot be watched, every request is one for our device. */
	if (r == 0 && s->opens >= 0 &&
		inotify_add_watch(s->opens, w->loop.path, IN_OPEN) < 0) {
		close(s->opens);
		s->opens = -1;
	}
	if (r < 0 || w->is_copy)
		return r;
	struct examined_file *record = evidence->record;
	record->view = w->view.kind;
	record->offset = source->offset;
	record->size = source->size;
	record->diskseq = w->loop.diskseq;
	snprintf(record->loop, sizeof record->loop, "%s", w->loop.path);
	return 0;
}

static struct place loop_place(const struct shown *w)
{
	return (struct place){.area = w->loop.path};
}

/* Whether somebody opened a loop device of ours since the last time. */
static bool was_opened(const struct showing *s)
{
	struct inotify_event events[64];
	bool opened = s->opens < 0;
	while (s->opens >= 0 && read(s->opens, events, sizeof events) > 0)
		opened = true;
	return opened;
}

static int self_check(struct showing *s, struct report *report)
{
	struct shown *w = &s->shown[SHOWN_IMAGE];
	const struct place place = loop_place(w);
	BUFFER holes = {0};
	int r = safe_mount_try_writes(s->mount, w->loop.path, &holes);
	if (r < 0)
		return r;
	if (holes.size)
		return error_set(STATUS_UNCHECKED, EIO,
			"%s: the self-check failed: %s; nothing was run", w->loop.path,
			buffer_text(&holes));
	was_opened(s); /* by ourselves */
	loop_count_from_here(&w->loop);
	traces_count_writes(&s->traces, loop_number(&w->loop));
	report_good(report, "self-check", &place,
		"refuses a written sector, a discarded one, a new file, FITRIM, and to "
		"be made writable");
	return 0;
}

int showing_mount(struct showing *s, const char *type, uint64_t attributes,
	struct report *report, struct buffer *options)
{
	const struct shown *journal = &s->shown[SHOWN_JOURNAL];
	s->mount = safe_mount(type, s->shown[SHOWN_IMAGE].loop.path, false,
		journal->evidence ? journal->loop.path : NULL, options);
	if (s->mount < 0)
		return s->mount;
	int r = self_check(s, report);
	return r < 0 ? r : safe_mount_restrict(s->mount, attributes);
}

int showing_replay(
	struct showing *s, const char *type, uint64_t attributes, struct buffer *options)
{
	const struct shown *journal = &s->shown[SHOWN_JOURNAL_COPY];
	s->replayed = safe_mount(type, s->shown[SHOWN_IMAGE_COPY].loop.path, true,
		journal->evidence ? journal->loop.path : NULL, options);
	return s->replayed < 0 ? s->replayed
			       : safe_mount_restrict(s->replayed, attributes);
}

/* Blocks that were read and are not what they were. */
static void watch_view(struct shown *w, struct report *report)
{
	struct view_counts *c = w->view.counts;
	if (!c || w->told_bad || atomic_load(&c->bad) == 0)
		return;
	struct place place = evidence_place(w->evidence);
	place.block = atomic_load(&c->bad_block);
	place.n_blocks = 1;
	w->told_bad = true;
	report_fault(report, STATUS_CHANGED, "served", &place,
		"was not what it had been when it was read (blocks of %u bytes); whoever "
		"read it got an I/O error",
		w->evidence->record->first.block_size);
}

/*
 * Requests of processes that were gone at once: for our devices if somebody opened one of
 * them meanwhile, and else most likely for others.
 */
static void watch_unknown(struct showing *s, const struct place *place, unsigned unknown,
	struct report *report)
{
	s->opened = was_opened(s) || s->opened;
	if (unknown == 0)
		return;
	if (s->opened && !s->told_settings) {
		s->told_settings = true;
		report_fault(report, STATUS_CHANGED, "settings", place,
			"was opened by somebody, and a process that was gone at once "
			"asked for other settings of a loop device");
	} else if (!s->opened && !s->told_unknown) {
		s->told_unknown = true;
		report_uncovered(report, "settings", place,
			"a process that was gone at once asked for other settings of a "
			"loop device; by its own name nobody opened this one");
	}
}

/* Settings of our loop devices that somebody wanted changed, undone or not. */
static void watch_settings(struct showing *s, struct report *report)
{
	dev_t devices[N_SHOWN];
	size_t n = 0;
	unsigned unknown;
	BUFFER who = {0};
	const struct place place = loop_place(&s->shown[SHOWN_IMAGE]);
	for (size_t i = 0; i < N_SHOWN; i++)
		if (s->shown[i].loop.fd >= 0)
			devices[n++] = loop_number(&s->shown[i].loop);
	unsigned ours = traces_look(&s->traces, devices, n, &who, &unknown);
	if (n == 0)
		return;
	if (ours && !s->told_settings) {
		s->told_settings = true;
		report_fault(report, STATUS_CHANGED, "settings", &place,
			"somebody asked for other settings of it: %s", buffer_text(&who));
	}
	watch_unknown(s, &place, unknown, report);
}

void showing_watch(struct showing *s, struct report *report)
{
	/* Before showing_listen there is nothing that could be watched. */
	if (s->traces.starting)
		return;
	watch_settings(s, report);
	for (size_t i = 0; i < N_SHOWN; i++) {
		struct shown *w = &s->shown[i];
		if (!w->evidence || w->loop.fd < 0)
			continue;
		watch_view(w, report);
		if (w->told_moved || !loop_moved(&w->loop))
			continue;
		const struct place place = loop_place(w);
		w->told_moved = true;
		report_fault(report, STATUS_CHANGED, "loop", &place,
			"was changed while it was in use: it showed other bytes than it "
			"should");
	}
}

static void compare_view(struct shown *w, struct report *report)
{
	struct view_counts *c = w->view.counts;
	const struct place place = evidence_place(w->evidence);
	watch_view(w, report);
	if (!c) {
		report_good(report, "served", &place,
			"all that was read came from a copy in sealed memory, made "
			"of the bytes that were hashed");
		return;
	}
	uint64_t bytes = atomic_load(&c->verified);
	if (!w->is_copy)
		w->evidence->record->verified = bytes;
	if (atomic_load(&c->failed))
		report_fault(report, STATUS_FAILED, "served", &place,
			"%ju reads failed in the file system it lies on",
			(uintmax_t)atomic_load(&c->failed));
	else if (!w->told_bad)
		report_good(report, "served", &place,
			w->view.kind == VIEW_VERIFIED
				? "%ju bytes were read, and every block was what it had "
				  "been when it was hashed"
				: "%ju bytes were read, and every block was the same at "
				  "each read",
			(uintmax_t)bytes);
}

static void compare_traces(struct showing *s, struct report *report)
{
	const struct place place = loop_place(&s->shown[SHOWN_IMAGE]);
	uint64_t writes = traces_writes(&s->traces);
	if (s->traces.n_rings == 0 || s->shown[SHOWN_IMAGE].loop.fd < 0)
		return;
	if (writes)
		report_fault(report, STATUS_CHANGED, "traces", &place,
			"%ju requests to write or to discard were traced",
			(uintmax_t)writes);
	if (!writes && !s->told_settings)
		report_good(report, "traces", &place,
			"nobody asked for other settings of it%s",
			traces_counts(&s->traces) ? ", nor to write or to discard" : "");
}

void showing_compare(struct showing *s, struct report *report)
{
	if (s->traces.starting)
		return;
	compare_traces(s, report);
	for (size_t i = 0; i < N_SHOWN; i++) {
		struct shown *w = &s->shown[i];
		BUFFER changes = {0};
		if (!w->evidence || w->loop.fd < 0)
			continue;
		const struct place place = loop_place(w);
		compare_view(w, report);
		if (loop_compare(&w->loop, &changes) < 0)
			report_error(report, "loop", &place, w->loop.path);
		else if (changes.size)
			report_fault(report, STATUS_CHANGED, "loop", &place, "%s",
				buffer_text(&changes));
		else if (!w->told_moved)
			report_good(report, "loop", &place,
				"%s, and the file below, offset, size, flags%s are "
				"as they were set",
				w->is_copy ? "shows the copy" : "is read-only",
				w->loop.diskseq ? ", disk sequence number" : "");
		if (!w->loop.counts && !w->is_copy)
			report_uncovered(report, "counters", &place,
				"the kernel keeps no counters of writes for it");
		else if (!w->is_copy && !changes.size)
			report_good(report, "counters", &place,
				"no request to write or to discard came");
	}
}

/* btrfs remembers devices by their UUIDs, also those that are gone. */
static void forget_btrfs(const char *device)
{
	struct {
		int64_t fd;
		char name[4088];
	} args = {0};
	int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(args.name, sizeof args.name, "%s", device);
	/* BTRFS_IOC_FORGET_DEV of linux/btrfs.h, which C17 compilers warn about. */
	(void)ioctl(fd, _IOC(_IOC_WRITE, 0x94, 5, 4096), &args);
	close(fd);
}

static void unmount(int *mount)
{
	if (*mount >= 0)
		close(*mount);
	*mount = -1;
}

void showing_end(struct showing *s)
{
	unmount(&s->mount);
	unmount(&s->replayed);
	for (size_t i = 0; i < N_SHOWN; i++) {
		struct shown *w = &s->shown[i];
		if (w->loop.fd >= 0)
			forget_btrfs(w->loop.path);
		loop_detach(&w->loop);
		view_close(&w->view);
	}
}

void showing_free(struct showing *s)
{
	traces_close(&s->traces);
	if (s->opens >= 0)
		close(s->opens);
	s->opens = -1;
}

void showing_check_ended(struct showing *s, struct report *report)
{
	for (size_t i = 0; i < N_SHOWN; i++) {
		const struct shown *w = &s->shown[i];
		if (!w->evidence || !w->loop.path[0])
			continue;
		const struct place place = loop_place(w);
		if (loop_lingers(&w->loop, DETACH_MS))
			report_fault(report, STATUS_UNCHECKED, "detached", &place,
				"is still in use by somebody, %d s after it was let go",
				DETACH_MS / 1000);
		else
			report_good(report, "detached", &place, "is detached");
	}
}
